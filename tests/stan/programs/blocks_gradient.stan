// Value and gradient of blocks_log_density at given points, in C++ and (value alone) in Stan.
// user_header: functions/joined.hpp
functions {
  real blocks_log_density(vector coef, vector group_sd, real noise_sd, data vector zy, data matrix ZX, data vector F,
                          data array[] int rows, data array[] int columns, data array[] int sd_index);
  vector blocks_gradient(data vector coef, data vector group_sd, data real noise_sd, data vector zy, data matrix ZX,
                         data vector F, data array[] int rows, data array[] int columns, data array[] int sd_index);
  #include functions/plain.stanfunctions
}
data {
  int<lower=1> P;
  int<lower=0> K;
  int<lower=1> T;
  int<lower=1> B;
  array[B] int<lower=1> block_rows;
  array[B] int<lower=1> block_columns;
  array[sum(block_columns)] int<lower=1, upper=T> sd_index;
  vector[sum(block_rows)] zy;
  matrix[sum(block_rows), K] ZX;
  int<lower=0> cells;
  vector[cells] F;
  matrix[P, K] coef;
  matrix[P, T] group_sd;
  vector[P] noise_sd;
}
parameters {
  real unused;
}
model {
  unused ~ std_normal();
}
generated quantities {
  vector[P] value;
  vector[P] plain;
  matrix[P, K + T + 1] gradient;
  for (p in 1:P) {
    vector[K] b = coef[p]';
    vector[T] tau = group_sd[p]';
    value[p] = blocks_log_density(b, tau, noise_sd[p], zy, ZX, F, block_rows, block_columns, sd_index);
    plain[p] = plain_log_density(b, tau, noise_sd[p], zy, ZX, F, block_rows, block_columns, sd_index);
  }
  for (p in 1:P) {
    gradient[p] = blocks_gradient(coef[p]', group_sd[p]', noise_sd[p], zy, ZX, F, block_rows, block_columns, sd_index)';
  }
}
