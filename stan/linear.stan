// Gaussian linear model from sufficient statistics.
//
// With the thin QR decomposition X = Q R, z = Q'y and rss = |y|^2 - |z|^2,
//   |y - X b|^2 = |z - R b|^2 + rss,
// so the likelihood of N rows costs O(K^2). Serves blm, bayes_lm_updater and pooled models.
functions {
  #include functions/sufficient.stanfunctions
  #include functions/whitening.stanfunctions
}
data {
  int<lower=0> N;                        // rows behind the statistics
  int<lower=0> K;                        // coefficients
  matrix[K, K] R;                        // upper triangular factor of X
  vector[K] z;                           // Q'y
  real<lower=0> rss;                     // |y|^2 - |z|^2
  vector[K] prior_mean;
  vector<lower=0>[K] prior_sd;
  vector[K] lower_bound;                 // negative_infinity() where unbounded
  vector<lower=lower_bound>[K] upper_bound;  // positive_infinity() where unbounded
  int<lower=0, upper=1> noise_family;    // 0 normal truncated to the bounds, 1 lognormal
  real noise_location;                   // mean, or meanlog
  real<lower=0> noise_spread;            // sd, or sdlog
  real<lower=0> noise_lower;
  real<lower=noise_lower> noise_upper;
  int<lower=0, upper=noise_family> noise_noncentered;  // 1: lognormal prior through a standard normal
  int<lower=0, upper=1> prior_only;
  #include blocks/whitening.stan
}
parameters {
  vector[K] white;
  array[1 - noise_noncentered] real<lower=noise_lower, upper=noise_upper> noise_centered;
  array[noise_noncentered] real<lower=(log(noise_lower) - noise_location) / noise_spread,
                                upper=(log(noise_upper) - noise_location) / noise_spread> noise_raw;
}
transformed parameters {
  #include blocks/coefficients.stan
  real<lower=0> noise_sd = noise_noncentered
    ? exp(noise_location + noise_spread * noise_raw[1])
    : noise_centered[1];
}
model {
  coef ~ normal(prior_mean, prior_sd);
  if (noise_noncentered) {
    noise_raw ~ std_normal();
  } else if (noise_family == 1) {
    noise_centered ~ lognormal(noise_location, noise_spread);
  } else {
    noise_centered ~ normal(noise_location, noise_spread);
  }
  if (!prior_only) {
    target += gaussian_sufficient_lpdf(z | R * coef, rss, N, noise_sd);
  }
}
