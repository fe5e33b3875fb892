// The gradient that functions/blocks.hpp hands to Stan: by coefficient, by group sd, by residual sd.
template <typename Coef, typename GroupSd, typename NoiseSd, typename Zy, typename Zx, typename Factors>
Eigen::VectorXd blocks_gradient(const Coef& coef, const GroupSd& group_sd, const NoiseSd& noise_sd, const Zy& zy,
                                const Zx& ZX, const Factors& F, const std::vector<int>& rows,
                                const std::vector<int>& columns, const std::vector<int>& sd_index, std::ostream*) {
  dsam::BlocksGradient gradient;
  dsam::blocks_value(stan::math::value_of(coef), stan::math::value_of(group_sd), stan::math::value_of(noise_sd), zy, ZX,
                     F, rows, columns, sd_index, gradient);
  Eigen::VectorXd all(coef.size() + group_sd.size() + 1);
  all << gradient.coef, gradient.group_sd, gradient.noise_sd;
  return all;
}
