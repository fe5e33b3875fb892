// Command-line front end for a compiled Stan program.
//
// Speaks the part of CmdStan's command line and CSV format that cmdstanpy uses (`info`, `sample`, `optimize`), so that
// cmdstanpy can drive a Stan program without a CmdStan installation. It is an adapter: stan::services does all sampling
// and optimisation, with CmdStan's defaults and CmdStan's use of the random number generator, so that the same program,
// data, seed and chain id give the same draws as CmdStan.
//
// Exit status: 0 success, 64 wrong command line, 70 the algorithm failed, 78 data, initial values or a file refused.
#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/unique_stream_writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/model/model_base.hpp>
#include <stan/services/error_codes.hpp>
#include <stan/services/optimize/bfgs.hpp>
#include <stan/services/optimize/lbfgs.hpp>
#include <stan/services/sample/fixed_param.hpp>
#include <stan/services/sample/hmc_nuts_dense_e.hpp>
#include <stan/services/sample/hmc_nuts_dense_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_diag_e.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/version.hpp>

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Written by stanc into every program.
stan::model::model_base& new_model(stan::io::var_context& data, unsigned int seed, std::ostream* messages);

namespace {

using stan::services::error_codes;

constexpr double infinity = std::numeric_limits<double>::infinity();

// ---------------------------------------------------------------- command line

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Kind { flag, whole, real, word, path };

// One argument: the section whose name precedes it on the command line, its name, CmdStan's default, and what it
// accepts: numbers from `low` to `high` (real numbers strictly between them unless `closed`), or one of `words`.
struct Option {
  std::string section, name, standard;
  Kind kind;
  double low = 0, high = infinity;
  bool closed = false;
  std::set<std::string> words = {};

  std::string key() const { return section.empty() ? name : section + "." + name; }
};

constexpr double most = std::numeric_limits<int>::max();

// In the order in which the CSV header echoes them.
const std::vector<Option> options = {
    {"", "method", "sample", Kind::word, 0, 0, false, {"sample", "optimize"}},
    {"sample", "num_samples", "1000", Kind::whole, 0, most},
    {"sample", "num_warmup", "1000", Kind::whole, 0, most},
    {"sample", "save_warmup", "false", Kind::flag},
    {"sample", "thin", "1", Kind::whole, 1, most},
    {"sample", "num_chains", "1", Kind::whole, 1, 1},  // one process runs one chain
    {"sample", "algorithm", "hmc", Kind::word, 0, 0, false, {"hmc", "fixed_param"}},
    {"adapt", "engaged", "true", Kind::flag},
    {"adapt", "gamma", "0.05", Kind::real},
    {"adapt", "delta", "0.8", Kind::real, 0, 1},
    {"adapt", "kappa", "0.75", Kind::real},
    {"adapt", "t0", "10", Kind::real},
    {"adapt", "init_buffer", "75", Kind::whole, 0, most},
    {"adapt", "term_buffer", "50", Kind::whole, 0, most},
    {"adapt", "window", "25", Kind::whole, 0, most},
    {"hmc", "metric", "diag_e", Kind::word, 0, 0, false, {"diag_e", "dense_e"}},
    {"hmc", "metric_file", "", Kind::path},
    {"hmc", "stepsize", "1", Kind::real},
    {"hmc", "stepsize_jitter", "0", Kind::real, 0, 1, true},
    {"hmc", "engine", "nuts", Kind::word, 0, 0, false, {"nuts"}},
    {"nuts", "max_depth", "10", Kind::whole, 1, most},
    {"optimize", "algorithm", "lbfgs", Kind::word, 0, 0, false, {"lbfgs", "bfgs"}},
    {"optimize", "jacobian", "false", Kind::flag},
    {"optimize", "iter", "2000", Kind::whole, 1, most},
    {"optimize", "save_iterations", "false", Kind::flag},
    {"lbfgs", "init_alpha", "0.001", Kind::real},
    {"lbfgs", "tol_obj", "1e-12", Kind::real, 0, infinity, true},
    {"lbfgs", "tol_rel_obj", "10000", Kind::real, 0, infinity, true},
    {"lbfgs", "tol_grad", "1e-08", Kind::real, 0, infinity, true},
    {"lbfgs", "tol_rel_grad", "1e+07", Kind::real, 0, infinity, true},
    {"lbfgs", "tol_param", "1e-08", Kind::real, 0, infinity, true},
    {"lbfgs", "history_size", "5", Kind::whole, 1, most},
    {"bfgs", "init_alpha", "0.001", Kind::real},
    {"bfgs", "tol_obj", "1e-12", Kind::real, 0, infinity, true},
    {"bfgs", "tol_rel_obj", "10000", Kind::real, 0, infinity, true},
    {"bfgs", "tol_grad", "1e-08", Kind::real, 0, infinity, true},
    {"bfgs", "tol_rel_grad", "1e+07", Kind::real, 0, infinity, true},
    {"bfgs", "tol_param", "1e-08", Kind::real, 0, infinity, true},
    {"", "id", "1", Kind::whole, 0, most},
    {"data", "file", "", Kind::path},
    {"", "init", "2", Kind::path},  // a radius or a file
    {"random", "seed", "", Kind::whole, 0, std::numeric_limits<unsigned int>::max()},
    {"output", "file", "output.csv", Kind::path},
    {"output", "diagnostic_file", "", Kind::path},
    {"output", "refresh", "100", Kind::whole, 0, most},
    {"output", "sig_figs", "8", Kind::whole, 1, 18},
};

// How deep each section lies; the keys are all the sections there are.
const std::map<std::string, int> sections = {{"", 0},         {"data", 0},  {"random", 0}, {"output", 0}, {"sample", 0},
                                             {"optimize", 0}, {"lbfgs", 1}, {"bfgs", 1},   {"adapt", 1},  {"hmc", 1},
                                             {"nuts", 2}};

// Not a number unless all of the text is one.
double to_number(const std::string& text) {
  std::istringstream stream(text);
  double value = std::nan("");
  return stream >> value && stream.peek() == std::istringstream::traits_type::eof() ? value : std::nan("");
}

std::string wanted_by(const Option& option) {
  std::ostringstream text;
  if (option.kind == Kind::flag) return "0 or 1";
  if (option.kind == Kind::path) return "a file name";
  if (option.kind == Kind::word) {
    for (const std::string& word : option.words) text << (text.str().empty() ? "" : " or ") << word;
  } else {
    const bool whole = option.kind == Kind::whole;
    text << std::setprecision(10) << (whole ? "a whole number from " : "a number between ") << option.low
         << (whole ? " to " : " and ") << option.high;
  }
  return text.str();
}

bool accepts(const Option& option, const std::string& text) {
  if (option.kind == Kind::flag) return text == "0" || text == "1" || text == "false" || text == "true";
  if (option.kind == Kind::path) return !text.empty();
  if (option.kind == Kind::word) return option.words.count(text) > 0;
  const double value = to_number(text);  // no comparison below holds for a NaN
  if (option.kind == Kind::whole) return value >= option.low && value <= option.high && value == std::floor(value);
  return option.closed ? value >= option.low && value <= option.high : value > option.low && value < option.high;
}

class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i < count; ++i) read(words[i]);
    if (!has("random.seed")) given_["random.seed"] = std::to_string(std::random_device{}());
  }

  std::string text(const std::string& key) const {
    if (has(key)) return given_.at(key);
    for (const Option& option : options)
      if (option.key() == key) return option.standard;
    throw std::logic_error("no option " + key);
  }
  double real(const std::string& key) const { return to_number(text(key)); }
  int whole(const std::string& key) const { return static_cast<int>(real(key)); }
  unsigned int natural(const std::string& key) const { return static_cast<unsigned int>(real(key)); }
  bool flag(const std::string& key) const { return text(key) == "true"; }
  bool has(const std::string& key) const { return given_.count(key) > 0; }
  bool sampling() const { return text("method") == "sample"; }
  bool fixed() const { return sampling() && text("sample.algorithm") == "fixed_param"; }
  void use_fixed_param() { given_["sample.algorithm"] = "fixed_param"; }

  // `# name = value` for every argument of the chosen method: what readers of Stan CSV files look for.
  void echo(std::ostream& out) const {
    std::string section;
    for (const Option& option : options) {
      if (!open(option.section)) continue;
      const std::string margin(2 * sections.at(option.section), ' ');
      if (option.section != section && !option.section.empty()) out << "# " << margin << option.section << "\n";
      section = option.section;
      out << "# " << margin << (section.empty() ? "" : "  ") << option.name << " = " << text(option.key())
          << (has(option.key()) ? "" : " (Default)") << "\n";
    }
  }

 private:
  std::map<std::string, std::string> given_;
  std::string section_;

  // Sections of the method or sampler that was not chosen take no arguments.
  bool open(const std::string& section) const {
    if (section == "sample") return sampling();
    if (section == "optimize") return !sampling();
    if (section == "lbfgs" || section == "bfgs") return !sampling() && text("optimize.algorithm") == section;
    if (section == "adapt" || section == "hmc" || section == "nuts") return sampling() && !fixed();
    return true;
  }

  // The option of that name in the current section, else in the method's sections, else at the top level. Names such as
  // `file` occur in several sections, so data, random and output are only searched from inside.
  const Option* find(const std::string& name) const {
    for (const std::string& section : {section_, std::string("sample"), std::string("adapt"), std::string("hmc"),
                                       std::string("nuts"), std::string("optimize"), std::string("lbfgs"),
                                       std::string("bfgs"), std::string()})
      for (const Option& option : options)
        if (option.section == section && option.name == name && open(section)) return &option;
    return nullptr;
  }

  void read(const std::string& word) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (equals == std::string::npos) {
      if (name == "sample" || name == "optimize") return read("method=" + name);
      if (name.empty() || !sections.count(name) || !open(name)) throw UsageError("unknown argument '" + word + "'.");
      section_ = name;
      return;
    }
    const Option* option = find(name);
    const std::string place = section_.empty() ? "" : " after '" + section_ + "'";
    if (!option) throw UsageError("unknown argument '" + word + "'" + place + ".");
    const std::string value = word.substr(equals + 1);
    if (!accepts(*option, value)) throw UsageError("'" + word + "' is refused; wanted " + wanted_by(*option) + ".");
    given_[option->key()] = option->kind != Kind::flag ? value : value == "1" || value == "true" ? "true" : "false";
    if (option->kind == Kind::word && sections.count(value)) section_ = value;
  }
};

// ---------------------------------------------------------------- files

using Context = std::shared_ptr<stan::io::var_context>;
using Writer = stan::callbacks::unique_stream_writer<std::ofstream>;

Context read_json(const std::string& path) {
  if (path.empty()) return std::make_shared<stan::io::empty_var_context>();
  std::ifstream file(path);
  if (!file) throw UsageError("cannot read file '" + path + "'.");
  return std::make_shared<stan::json::json_data>(file);
}

std::unique_ptr<std::ofstream> create(const std::string& path, int digits) {
  if (path.empty()) return nullptr;  // a writer without a stream writes nothing
  auto file = std::make_unique<std::ofstream>(path);
  if (!*file) throw UsageError("cannot write file '" + path + "'.");
  *file << std::setprecision(digits);
  return file;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", std::gmtime(&now));
  return text;
}

void write_header(std::ostream& out, const Arguments& arguments, const stan::model::model_base& model) {
  out << "# stan_version_major = " << stan::MAJOR_VERSION << "\n# stan_version_minor = " << stan::MINOR_VERSION
      << "\n# stan_version_patch = " << stan::PATCH_VERSION << "\n# model = " << model.model_name()
      << "\n# start_datetime = " << utc_now() << "\n";
  arguments.echo(out);
  for (const std::string& line : model.model_compile_info()) out << "# " << line << "\n";
  out << std::flush;
}

// ---------------------------------------------------------------- running

struct Run {
  const Arguments& arguments;
  stan::model::model_base& model;
  const stan::io::var_context& init;
  double init_radius;
  unsigned int seed, id;
  Writer& draws;
  Writer& diagnostics;
  stan::callbacks::interrupt interrupt{};
  stan::callbacks::stream_logger logger{std::cout, std::cout, std::cout, std::cerr, std::cerr};
  stan::callbacks::writer inits{};
};

int sample_fixed(Run& run) {
  const Arguments& a = run.arguments;
  return stan::services::sample::fixed_param(run.model, run.init, run.seed, run.id, run.init_radius,
                                             a.whole("sample.num_samples"), a.whole("sample.thin"),
                                             a.whole("output.refresh"), run.interrupt, run.logger, run.inits, run.draws,
                                             run.diagnostics);
}

int sample_nuts(Run& run) {
  namespace services = stan::services::sample;
  namespace util = stan::services::util;
  const Arguments& a = run.arguments;
  const bool dense = a.text("hmc.metric") == "dense_e";
  const auto size = run.model.num_params_r();
  Context metric = read_json(a.text("hmc.metric_file"));
  if (!a.has("hmc.metric_file")) {
    metric = std::make_shared<stan::io::array_var_context>(dense ? util::create_unit_e_dense_inv_metric(size)
                                                                 : util::create_unit_e_diag_inv_metric(size));
  }
  // The part of the argument list that the four samplers share.
  auto call = [&](auto sampler, auto... tail) {
    return sampler(run.model, run.init, *metric, run.seed, run.id, run.init_radius, a.whole("sample.num_warmup"),
                   a.whole("sample.num_samples"), a.whole("sample.thin"), a.flag("sample.save_warmup"),
                   a.whole("output.refresh"), a.real("hmc.stepsize"), a.real("hmc.stepsize_jitter"),
                   a.whole("nuts.max_depth"), tail..., run.interrupt, run.logger, run.inits, run.draws,
                   run.diagnostics);
  };
  auto adapt = [&](auto sampler) {
    return call(sampler, a.real("adapt.delta"), a.real("adapt.gamma"), a.real("adapt.kappa"), a.real("adapt.t0"),
                a.natural("adapt.init_buffer"), a.natural("adapt.term_buffer"), a.natural("adapt.window"));
  };
  auto diag_adapt = [](auto&&... x) { return services::hmc_nuts_diag_e_adapt(x...); };
  auto dense_adapt = [](auto&&... x) { return services::hmc_nuts_dense_e_adapt(x...); };
  auto diag_plain = [](auto&&... x) { return services::hmc_nuts_diag_e(x...); };
  auto dense_plain = [](auto&&... x) { return services::hmc_nuts_dense_e(x...); };
  if (a.flag("adapt.engaged")) return dense ? adapt(dense_adapt) : adapt(diag_adapt);
  return dense ? call(dense_plain) : call(diag_plain);
}

// Stan's third algorithm, newton, is left out: its numerical Hessian is not divided by the step (as of 2.39).
template <bool jacobian>
int optimize(Run& run) {
  using Model = stan::model::model_base;
  namespace services = stan::services::optimize;
  const Arguments& a = run.arguments;
  const std::string algorithm = a.text("optimize.algorithm");
  auto option = [&](const char* name) { return a.real(algorithm + "." + name); };
  // The part of the argument list that the two algorithms share.
  auto call = [&](auto optimizer, auto... head) {
    return optimizer(run.model, run.init, run.seed, run.id, run.init_radius, head..., option("init_alpha"),
                     option("tol_obj"), option("tol_rel_obj"), option("tol_grad"), option("tol_rel_grad"),
                     option("tol_param"), a.whole("optimize.iter"), a.flag("optimize.save_iterations"),
                     a.whole("output.refresh"), run.interrupt, run.logger, run.inits, run.draws);
  };
  if (algorithm == "bfgs") return call([](auto&&... x) { return services::bfgs<Model, jacobian>(x...); });
  return call([](auto&&... x) { return services::lbfgs<Model, jacobian>(x...); }, a.whole("lbfgs.history_size"));
}

int run_method(Run& run) {
  if (run.arguments.fixed()) return sample_fixed(run);
  if (run.arguments.sampling()) return sample_nuts(run);
  return run.arguments.flag("optimize.jacobian") ? optimize<true>(run) : optimize<false>(run);
}

int run(Arguments& arguments) {
  const int digits = arguments.whole("output.sig_figs");
  const double radius = to_number(arguments.text("init"));
  const bool random_init = !std::isnan(radius);
  if (radius < 0) throw UsageError("init must be a file or a radius, not " + arguments.text("init") + ".");
  const Context data = read_json(arguments.text("data.file"));
  const Context init = read_json(random_init ? "" : arguments.text("init"));
  const unsigned int seed = arguments.natural("random.seed");
  const std::unique_ptr<stan::model::model_base> model(&new_model(*data, seed, &std::cout));
  if (arguments.sampling() && !arguments.fixed() && model->num_params_r() == 0) {
    std::cout << "Model contains no parameters, running fixed_param sampler, no updates to Markov chain" << std::endl;
    arguments.use_fixed_param();
  }
  Writer draws(create(arguments.text("output.file"), digits), "# ");
  Writer diagnostics(create(arguments.text("output.diagnostic_file"), digits), "# ");
  write_header(draws.get_stream(), arguments, *model);
  if (arguments.has("output.diagnostic_file")) write_header(diagnostics.get_stream(), arguments, *model);
  Run task{arguments, *model, *init, random_init ? radius : 2.0, seed, arguments.natural("id"), draws, diagnostics};
  const int status = run_method(task);
  if (!draws.is_valid())
    throw std::runtime_error("cannot write all of '" + arguments.text("output.file") + "'; is the disk full?");
  return status;
}

// ---------------------------------------------------------------- process

int print_info() {
  std::cout << "stan_version_major = " << stan::MAJOR_VERSION << "\nstan_version_minor = " << stan::MINOR_VERSION
            << "\nstan_version_patch = " << stan::PATCH_VERSION
            << "\nSTAN_THREADS=false\nSTAN_MPI=false\nSTAN_OPENCL=false"
            << "\nSTAN_NO_RANGE_CHECKS=false\nSTAN_CPP_OPTIMS=false\n";
  return error_codes::OK;
}

// A chain whose parent is gone burns a core for nobody. Polling the parent's id is portable and, unlike Linux's
// parent-death signal, does not mistake the end of the thread that started the chain for the end of its process.
void end_with_parent() {
  const pid_t parent = getppid();
  std::thread([parent] {
    while (getppid() == parent) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    _exit(error_codes::SOFTWARE);
  }).detach();
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::string(words[1]) == "info") return print_info();
  end_with_parent();
  try {
    Arguments arguments(count, words);
    return run(arguments);
  } catch (const UsageError& error) {
    std::cerr << "Error: " << error.what() << std::endl;
    return error_codes::USAGE;
  } catch (const std::exception& error) {
    std::cerr << "Error: " << error.what() << std::endl;
    return error_codes::CONFIG;
  }
}
