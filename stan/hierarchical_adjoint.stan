// hierarchical.stan with blocks_log_density in C++ (functions/blocks.hpp): the same density, its gradient in closed form.
// user_header: functions/blocks.hpp
functions {
  #include functions/sufficient.stanfunctions
  #include functions/whitening.stanfunctions
  real blocks_log_density(vector coef, vector group_sd, real noise_sd, data vector zy, data matrix ZX, data vector F,
                          data array[] int rows, data array[] int columns, data array[] int sd_index);
}
#include blocks/hierarchical.stan
