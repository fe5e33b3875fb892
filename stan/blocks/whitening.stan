  // Where the sampler moves (dsam_assets/design/whitening.py). No value of these changes the density of coef.
  int<lower=0, upper=K> bounded_size;    // coefficients with a bound
  array[bounded_size] int<lower=1, upper=K> bounded;
  array[K - bounded_size] int<lower=1, upper=K> unbounded;
  vector[bounded_size] bounded_center;
  matrix[bounded_size, bounded_size] bounded_spread;
  vector<lower=0>[bounded_size] softness;
  vector[K - bounded_size] unbounded_center;
  matrix[K - bounded_size, bounded_size] unbounded_slope;
  matrix[K - bounded_size, K - bounded_size] unbounded_spread;
