// Data, parameters and model of the hierarchical programs, which differ in how they compute blocks_log_density.
data {
  int<lower=0> N;                        // rows behind the statistics
  int<lower=0> K;                        // population coefficients
  int<lower=1> T;                        // group standard deviations
  int<lower=1> B;                        // blocks of groups that share no rows
  array[B] int<lower=1> block_rows;      // rows of each block after the turn: at most its deviations
  array[B] int<lower=1> block_columns;   // group deviations of each block
  array[sum(block_columns)] int<lower=1, upper=T> sd_index;
  vector[sum(block_rows)] zy;
  matrix[sum(block_rows), K] ZX;
  int<lower=0> cells;                    // sum of rows x columns over the blocks
  vector[cells] F;
  matrix[K, K] R;                        // what the deviations cannot reach: triangular factor of X there,
  vector[K] z;                           // Q'y
  real<lower=0> rss;                     // and what is left of |y|^2
  vector[K] prior_mean;
  vector<lower=0>[K] prior_sd;
  vector[K] lower_bound;                 // negative_infinity() where unbounded
  vector<lower=lower_bound>[K] upper_bound;  // positive_infinity() where unbounded
  // The T group standard deviations, and last the residual one.
  array[T + 1] int<lower=0, upper=1> sd_family;       // 0 normal truncated to the bounds, 1 lognormal
  vector[T + 1] sd_location;             // mean, or meanlog
  vector<lower=0>[T + 1] sd_spread;      // sd, or sdlog
  vector<lower=0>[T + 1] sd_lower;
  vector<lower=sd_lower>[T + 1] sd_upper;
  array[T + 1] int<lower=0, upper=1> sd_noncentered;  // 1: lognormal prior through a standard normal
  int<lower=0, upper=1> prior_only;
  #include blocks/whitening.stan
}
transformed data {
  vector[T + 1] free_lower = sd_lower;
  vector[T + 1] free_upper = sd_upper;
  for (t in 1:(T + 1)) {
    if (sd_noncentered[t]) {
      if (!sd_family[t]) {
        reject("sd_noncentered[", t, "] needs a lognormal prior (sd_family 1)");
      }
      free_lower[t] = (log(sd_lower[t]) - sd_location[t]) / sd_spread[t];
      free_upper[t] = (log(sd_upper[t]) - sd_location[t]) / sd_spread[t];
    }
  }
}
parameters {
  vector[K] white;
  vector<lower=free_lower, upper=free_upper>[T + 1] sd_free;
}
transformed parameters {
  #include blocks/coefficients.stan
  vector<lower=0>[T] group_sd;
  real<lower=0> noise_sd;
  {
    vector[T + 1] sd_all = sd_free;
    for (t in 1:(T + 1)) {
      if (sd_noncentered[t]) {
        sd_all[t] = exp(sd_location[t] + sd_spread[t] * sd_free[t]);
      }
    }
    group_sd = head(sd_all, T);
    noise_sd = sd_all[T + 1];
  }
}
model {
  coef ~ normal(prior_mean, prior_sd);
  for (t in 1:(T + 1)) {
    if (sd_noncentered[t]) {
      sd_free[t] ~ std_normal();
    } else if (sd_family[t] == 1) {
      sd_free[t] ~ lognormal(sd_location[t], sd_spread[t]);
    } else {
      sd_free[t] ~ normal(sd_location[t], sd_spread[t]);
    }
  }
  if (!prior_only) {
    target += blocks_log_density(coef, group_sd, noise_sd, zy, ZX, F, block_rows, block_columns, sd_index);
    target += gaussian_sufficient_lpdf(z | R * coef, rss, N - sum(block_rows), noise_sd);
  }
}
