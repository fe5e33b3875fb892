  // white is nearly normal, independent and of one spread. Bounded coefficients are soft images of a linear map of it,
  // and given them the unbounded ones are a linear map of the rest, so that its Jacobian is constant.
  vector[K] coef;
  coef[bounded] = soft_bounds_jacobian(bounded_center + bounded_spread * head(white, bounded_size),
                                       lower_bound[bounded], upper_bound[bounded], softness);
  coef[unbounded] = unbounded_center + unbounded_slope * coef[bounded]
                    + unbounded_spread * tail(white, K - bounded_size);
