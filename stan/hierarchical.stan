// Gaussian model with group deviations, integrated out, from statistics whose size does not depend on the rows.
//
// y = X coef + Z u + noise with independent u ~ normal(0, group_sd of their term): given coef, group_sd and noise_sd the
// rows are jointly normal, so the sampler never sees u, and there is no funnel. u is drawn afterwards, exactly.
// Standard deviations have priors truncated to their bounds. Serves re and cre models.
functions {
  #include functions/sufficient.stanfunctions
  #include functions/whitening.stanfunctions
  #include functions/blocks.stanfunctions
}
#include blocks/hierarchical.stan
