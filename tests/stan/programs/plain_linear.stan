// Gaussian linear model from sufficient statistics.
//
// With the thin QR decomposition X = Q R, z = Q'y and rss = |y|^2 - |z|^2,
//   |y - X b|^2 = |z - R b|^2 + rss,
// so the likelihood of N rows costs O(K^2). stan/linear.stan as it would be without its coordinates: the sampler moves in
// the coefficients themselves. A second implementation for tests and benchmarks.
functions {
  /**
   * Log likelihood of N Gaussian observations given their sufficient statistics.
   *
   * @param z   Q'y, length K
   * @param mu  R b, length K
   * @param rss |y|^2 - |z|^2
   * @param N   number of observations
   * @param sigma residual standard deviation
   * @return sum over the N rows of normal_lpdf(y | X b, sigma)
   */
  real gaussian_sufficient_lpdf(vector z, vector mu, real rss, int N, real sigma) {
    return -0.5 * (dot_self(z - mu) + rss) / square(sigma)
           - N * (log(sigma) + 0.5 * log(2 * pi()));
  }
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
}
parameters {
  vector<lower=lower_bound, upper=upper_bound>[K] coef;
  array[1 - noise_noncentered] real<lower=noise_lower, upper=noise_upper> noise_centered;
  array[noise_noncentered] real<lower=(log(noise_lower) - noise_location) / noise_spread,
                                upper=(log(noise_upper) - noise_location) / noise_spread> noise_raw;
}
transformed parameters {
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
