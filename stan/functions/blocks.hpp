// blocks_log_density of blocks.stanfunctions with its gradient in closed form.
//
// With a = zy - ZX coef, B = F diag(group_sd), M = noise_sd^2 I + B B' = L L' and w = M^-1 a, a block adds
//   f = -1/2 (a'w + log det M + r log 2 pi),
// and since df = w' d(ZX coef) + 1/2 tr((w w' - M^-1) dM),
//   df/dcoef     = ZX' w
//   df/dsd_j     = sd_j ((F_j'w)^2 - |L^-1 F_j|^2)             summed over the deviations j with that sd
//   df/dnoise_sd = noise_sd (w'w - tr M^-1),  noise_sd^2 tr M^-1 = r - sum_j sd_j^2 |L^-1 F_j|^2.
// One Cholesky factor and one triangular solve per block; nothing goes through automatic differentiation.
#ifndef DSAM_BLOCKS_HPP
#define DSAM_BLOCKS_HPP

#include <stan/model/model_header.hpp>

#include <cmath>
#include <limits>
#include <ostream>
#include <vector>

namespace dsam {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

struct BlocksGradient {
  Vector coef, group_sd;
  double noise_sd;
};

// The log density and its gradient; negative infinity and zeros where M cannot be factored.
template <typename Zy, typename Zx, typename Factors>
double blocks_value(const Vector& coef, const Vector& group_sd, double noise_sd, const Zy& zy, const Zx& ZX,
                    const Factors& F, const std::vector<int>& rows, const std::vector<int>& columns,
                    const std::vector<int>& sd_index, BlocksGradient& gradient) {
  const double variance = noise_sd * noise_sd;
  Vector w = zy - ZX * coef;
  Vector sd_gradient = Vector::Zero(group_sd.size());
  double total = -0.5 * w.size() * stan::math::LOG_TWO_PI, noise_gradient = 0;
  Matrix spread, covariance;
  Vector squared;
  Eigen::Index row = 0, column = 0, cell = 0;
  bool fails = !(w.squaredNorm() < std::numeric_limits<double>::infinity());
  for (std::size_t b = 0; b < rows.size() && !fails; ++b) {
    const Eigen::Index r = rows[b], q = columns[b];
    const Eigen::Map<const Matrix> factor(F.data() + cell, r, q);
    spread.resize(r, q);
    for (Eigen::Index j = 0; j < q; ++j) {
      spread.col(j) = factor.col(j) * group_sd[sd_index[column + j] - 1];
    }
    covariance.setZero(r, r);
    covariance.diagonal().setConstant(variance);
    covariance.template selfadjointView<Eigen::Lower>().rankUpdate(spread);
    fails = !(1e-13 * covariance.diagonal().maxCoeff() < variance);
    if (fails) {
      break;
    }
    const Eigen::LLT<Eigen::Ref<Matrix>, Eigen::Lower> llt(covariance);
    fails = llt.info() != Eigen::Success;
    auto part = w.segment(row, r);
    llt.matrixL().solveInPlace(part);
    total -= 0.5 * part.squaredNorm() + covariance.diagonal().array().log().sum();
    llt.matrixU().solveInPlace(part);
    spread = factor;
    llt.matrixL().solveInPlace(spread);
    squared = spread.colwise().squaredNorm();
    double trace = r;
    for (Eigen::Index j = 0; j < q; ++j) {
      const int index = sd_index[column + j] - 1;
      const double sd = group_sd[index], reach = factor.col(j).dot(part);
      sd_gradient[index] += sd * (reach * reach - squared[j]);
      trace -= sd * sd * squared[j];
    }
    noise_gradient += noise_sd * part.squaredNorm() - trace / noise_sd;
    row += r;
    column += q;
    cell += r * q;
  }
  if (fails || !std::isfinite(total)) {
    gradient = {Vector::Zero(coef.size()), Vector::Zero(group_sd.size()), 0};
    return -std::numeric_limits<double>::infinity();
  }
  gradient = {ZX.transpose() * w, sd_gradient, noise_gradient};
  return total;
}

}  // namespace dsam

// What the Stan program calls: arguments may be numbers or autodiff variables.
template <typename Coef, typename GroupSd, typename NoiseSd, typename Zy, typename Zx, typename Factors>
stan::return_type_t<Coef, GroupSd, NoiseSd> blocks_log_density(
    const Coef& coef, const GroupSd& group_sd, const NoiseSd& noise_sd, const Zy& zy, const Zx& ZX, const Factors& F,
    const std::vector<int>& rows, const std::vector<int>& columns, const std::vector<int>& sd_index, std::ostream*) {
  const auto& coef_ref = stan::math::to_ref(coef);
  const auto& sd_ref = stan::math::to_ref(group_sd);
  dsam::BlocksGradient gradient;
  const double value
      = dsam::blocks_value(stan::math::value_of(coef_ref), stan::math::value_of(sd_ref), stan::math::value_of(noise_sd),
                           zy, ZX, F, rows, columns, sd_index, gradient);
  auto partials = stan::math::make_partials_propagator(coef_ref, sd_ref, noise_sd);
  if constexpr (stan::is_autodiff_v<Coef>) {
    stan::math::partials<0>(partials) = gradient.coef;
  }
  if constexpr (stan::is_autodiff_v<GroupSd>) {
    stan::math::partials<1>(partials) = gradient.group_sd;
  }
  if constexpr (stan::is_autodiff_v<NoiseSd>) {
    stan::math::partials<2>(partials)[0] = gradient.noise_sd;
  }
  return partials.build(value);
}

#endif
