// The textbook program: every row in the likelihood, one grouping factor, non-centred group deviations.
// A second implementation for the tests and the benchmark; priors as in stan/hierarchical.stan without lognormal ones.
data {
  int<lower=1> N;
  int<lower=1> K;
  int<lower=1> G;
  int<lower=1> J;
  matrix[N, K] X;
  matrix[N, J] Z;
  array[N] int<lower=1, upper=G> group;
  vector[N] y;
  vector[K] prior_mean;
  vector<lower=0>[K] prior_sd;
  vector[K] lower_bound;
  vector<lower=lower_bound>[K] upper_bound;
  vector[J + 1] sd_location;
  vector<lower=0>[J + 1] sd_spread;
}
parameters {
  vector<lower=lower_bound, upper=upper_bound>[K] coef;
  vector<lower=0>[J] group_sd;
  real<lower=0> noise_sd;
  matrix[J, G] raw;
}
transformed parameters {
  matrix[G, J] deviation = diag_pre_multiply(group_sd, raw)';
}
model {
  coef ~ normal(prior_mean, prior_sd);
  group_sd ~ normal(head(sd_location, J), head(sd_spread, J));
  noise_sd ~ normal(sd_location[J + 1], sd_spread[J + 1]);
  to_vector(raw) ~ std_normal();
  y ~ normal_id_glm(X, rows_dot_product(Z, deviation[group]), coef, noise_sd);
}
