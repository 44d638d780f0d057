//===- worker.cpp - compiles and runs models, each in its own process -----===//
//
//     dougong-conformance-worker SECONDS MEBIBYTES
//
// A line of standard input is a request: the model, the folder for outputs, and
// the folder of inputs of each step, with tabs between; before them may stand
// "--parallel=STRATEGY" or "--strategy=FILE", "--through=PHASE": the IR is written after
// that phase and read back, and "--stop-after=PHASE": there is no more to do then. A child
// of this process compiles the model, runs the steps and writes
// OUTPUTS/step_<n>/output_<i>.pb;
// what it says goes to OUTPUTS/log. The answer is a line "exit CODE" or
// "signal NUMBER". Forked children share the loaded libraries: a case costs
// its own compilation alone.
//
//===----------------------------------------------------------------------===//
#include "dougong/Pipelines/Compile.h"
#include "dougong/Runtime/Session.h"
#include "dougong/Runtime/TensorIO.h"

#include <fcntl.h>
#include <iostream>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dougong;
namespace fs = std::filesystem;

namespace {

struct Request {
  std::string parallel, strategy, through, stopAfter;
  fs::path model, outputs;
  std::vector<fs::path> steps;
};

Request parseRequest(const std::string &line) {
  std::istringstream stream(line);
  std::string field;
  Request request;
  std::vector<fs::path> fields;
  while (std::getline(stream, field, '\t')) {
    llvm::StringRef option(field);
    if (option.consume_front("--parallel="))
      request.parallel = option;
    else if (option.consume_front("--strategy="))
      request.strategy = option;
    else if (option.consume_front("--through="))
      request.through = option;
    else if (option.consume_front("--stop-after="))
      request.stopAfter = option;
    else
      fields.emplace_back(field);
  }
  fields.resize(std::max<size_t>(fields.size(), 2));
  request.model = fields[0];
  request.outputs = fields[1];
  request.steps.assign(fields.begin() + 2, fields.end());
  return request;
}

/// Runs the steps of a package. The error of the first that fails.
Result<void> runSteps(const fs::path &folder, const Request &request) {
  Result<std::shared_ptr<Package>> package = Package::open(folder);
  if (!package)
    return package.takeError();
  SessionOptions options;
  options.threads = 1;
  Result<std::unique_ptr<Session>> session = Session::open(*package, options);
  if (!session)
    return session.takeError();
  const plan::v1::Model &model = (*package)->plan().model();
  std::vector<std::string> names;
  std::vector<std::int32_t> dtypes;
  for (const plan::v1::Value &input : model.inputs()) {
    names.push_back(input.name());
    dtypes.push_back(input.dtype());
  }
  for (size_t step = 0; step < request.steps.size(); ++step) {
    Result<InputTensors> inputs = readInputFolder(request.steps[step], names, dtypes);
    if (!inputs)
      return inputs.takeError();
    if (Result<void> done = (*session)->step(*inputs); !done)
      return done;
    fs::path outputs = request.outputs / ("step_" + std::to_string(step));
    fs::create_directories(outputs);
    for (int i = 0; i < model.outputs_size(); ++i) {
      Result<Tensor> output = (*session)->fetch(i);
      if (!output)
        return output.takeError();
      fs::path file = outputs / ("output_" + std::to_string(i) + ".pb");
      if (Result<void> written = writeTensor(*output, file); !written)
        return written;
    }
  }
  return {};
}

int runCase(const Request &request) {
  CompileOptions options;
  options.model = request.model.string();
  options.parallel = request.parallel;
  options.strategy = request.strategy;
  options.quiet = true;
  if (!request.through.empty()) {
    CompileOptions first = options;
    first.stopAfter = request.through;
    first.output = (request.outputs / "stopped.mlir").string();
    if (ExitCode code = compileModel(first, llvm::errs()); code != exitOk)
      return code;
    options.model = first.output;
    if (request.through != "import" && request.through != "normalize")
      options.parallel = options.strategy = ""; // the plan is in the IR
  }
  if (!request.stopAfter.empty()) {
    options.stopAfter = request.stopAfter;
    options.output = (request.outputs / "stopped.mlir").string();
    return compileModel(options, llvm::errs());
  }
  options.output = (request.outputs / "package").string();
  if (ExitCode code = compileModel(options, llvm::errs()); code != exitOk)
    return code;
  if (Result<void> done = runSteps(options.output, request); !done) {
    llvm::errs() << "error: run: " << done.message() << "\n";
    return exitStepFailed;
  }
  return exitOk;
}

/// The child's part: does not return.
[[noreturn]] void runChild(const Request &request, unsigned seconds, rlim_t bytes) {
  std::string log = (request.outputs / "log").string();
  int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  rlimit memory{bytes, bytes};
  setrlimit(RLIMIT_AS, &memory);
  rlimit noCore{0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  alarm(seconds); // ends the process
  int code = exitInternal;
  try {
    code = runCase(request);
  } catch (const std::exception &error) {
    llvm::errs() << "error: internal: " << error.what() << "\n";
  }
  // Buffers are flushed; destructors of statics are of no use to anyone.
  llvm::errs().flush();
  _exit(code);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: dougong-conformance-worker SECONDS MEBIBYTES < requests\n";
    return exitUsage;
  }
  unsigned seconds = std::stoul(argv[1]);
  rlim_t bytes = rlim_t(std::stoul(argv[2])) << 20;
  for (std::string line; std::getline(std::cin, line);) {
    Request request = parseRequest(line);
    pid_t child = fork();
    if (child == 0)
      runChild(request, seconds, bytes);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
      return exitInternal;
    if (WIFEXITED(status))
      std::cout << "exit " << WEXITSTATUS(status) << std::endl;
    else
      std::cout << "signal " << WTERMSIG(status) << std::endl;
  }
  return exitOk;
}
