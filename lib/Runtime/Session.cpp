//===- Session.cpp - run a package ----------------------------------------===//
#include "dougong/Runtime/Session.h"

#include "dougong/Runtime/ThreadPool.h"

#include "RankThreads.h"

#include <algorithm>
#include <exception>

using namespace dougong;

Session::~Session() = default;

namespace {
/// All ranks are threads of this process.
class ThreadSession final : public Session {
public:
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Package> package, int world,
                                               const SessionOptions &options);

  int rank() const override { return 0; }
  int worldSize() const override { return static_cast<int>(ends.size()); }
  int threadsPerRank() const override { return threads; }
  Result<void> checkInputs(const InputTensors &inputs) override {
    return executors[0]->checkInputs(inputs);
  }
  Result<void> steps(std::span<const InputTensors> inputs) override {
    return onAllRanks([&](int rank) { return executors[rank]->steps(inputs); });
  }
  Result<Tensor> fetch(int output) override {
    Tensor whole;
    Result<void> done = onAllRanks([&](int rank) -> Result<void> {
      Result<Tensor> tensor = executors[rank]->fetch(output);
      if (!tensor)
        return tensor.takeError();
      if (rank == 0)
        whole = std::move(*tensor);
      return {};
    });
    if (!done)
      return done.takeError();
    return whole;
  }
  void reset() override {
    for (std::unique_ptr<Executor> &executor : executors)
      executor->reset();
  }
  Result<void> barrier() override { return {}; } // steps and fetch end together
  Json profile() const override {
    Json::Array all;
    for (const std::unique_ptr<Executor> &executor : executors)
      all.push_back(executor->profile());
    return all;
  }
  void abort(const std::string &, int) override {}

private:
  explicit ThreadSession(int world) : rankThreads(world), executors(world) {}

  /// Runs `task` on every rank. The first failure ends the others' waiting.
  template <typename Task> Result<void> onAllRanks(Task task);

  int threads = 1;
  std::vector<std::unique_ptr<Collectives>> ends;
  RankThreads rankThreads;
  std::vector<std::unique_ptr<Executor>> executors;
};

/// This process is one rank.
class MpiSession final : public Session {
public:
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Package> package, int world,
                                               const SessionOptions &options);

  int rank() const override { return collectives->rank(); }
  int worldSize() const override { return collectives->size(); }
  int threadsPerRank() const override { return threads; }
  Result<void> checkInputs(const InputTensors &inputs) override {
    return executor->checkInputs(inputs);
  }
  Result<void> steps(std::span<const InputTensors> inputs) override {
    return executor->steps(inputs);
  }
  Result<Tensor> fetch(int output) override { return executor->fetch(output); }
  void reset() override { executor->reset(); }
  Result<void> barrier() override { return collectives->barrier(Collectives::world, {}); }
  Json profile() const override;
  void abort(const std::string &message, int exitCode) override {
    collectives->abort(message, exitCode);
  }

private:
  int threads = 1;
  std::unique_ptr<Collectives> collectives;
  std::unique_ptr<Executor> executor;
};
} // namespace

/// Every rank's profile, gathered as text.
Json MpiSession::profile() const {
  std::string mine = executor->profile().print();
  std::int64_t size = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> sizes(collectives->size());
  Json::Array all = {executor->profile()};
  if (!collectives->allGather(Collectives::world, &size, sizes.data(), 1, DOUGONG_I64, {}))
    return all;
  std::int64_t longest = *std::max_element(sizes.begin(), sizes.end());
  mine.resize(longest, ' ');
  std::string texts(longest * sizes.size(), ' ');
  if (!collectives->allGather(Collectives::world, mine.data(), texts.data(), longest, DOUGONG_U8,
                              {}))
    return all;
  all.clear();
  for (std::size_t rank = 0; rank < sizes.size(); ++rank)
    if (Result<Json> one = Json::parse(texts.substr(rank * longest, sizes[rank])))
      all.push_back(std::move(*one));
  return all;
}

/// What a rank of `localRanks` on this host gets.
static ExecutorOptions executorOptions(const SessionOptions &options, int localRanks) {
  int cores = availableCores();
  ExecutorOptions result;
  result.threads = options.threads > 0 ? options.threads : std::max(1, cores / localRanks);
  result.spin = result.threads * localRanks <= cores;
  result.profile = options.profile;
  result.states = options.states;
  return result;
}

template <typename Task> Result<void> ThreadSession::onAllRanks(Task task) {
  std::mutex mutex;
  std::string firstFailure; // what ended the waiting of the others
  std::vector<Result<void>> results(ends.size());
  rankThreads.run([&](int rank) {
    Result<void> &done = results[rank];
    try {
      done = task(rank);
    } catch (const std::exception &exception) { // e.g. no memory
      done = Error{std::string("internal: ") + exception.what()};
    }
    if (done)
      return;
    std::string failure = "rank " + std::to_string(rank) + " failed: " + done.message();
    {
      std::lock_guard lock(mutex);
      if (firstFailure.empty())
        firstFailure = failure;
    }
    ends[rank]->abort(failure, 0);
  });
  // The lowest rank that failed by itself, not because another one did: which
  // rank came first is chance.
  for (Result<void> &result : results)
    if (!result && result.message().find(firstFailure) == std::string::npos)
      return std::move(result);
  return {};
}

/// Each has a stack and an arena of its own in this process.
static constexpr int mostThreadRanks = 1024;

Result<std::unique_ptr<Session>> ThreadSession::open(std::shared_ptr<Package> package, int world,
                                                     const SessionOptions &options) {
  if (world > mostThreadRanks)
    return Error{"the package is for " + std::to_string(world) + " ranks, expected at most " +
                 std::to_string(mostThreadRanks) +
                 " as threads of one process: run it with --ranks mpi"};
  std::unique_ptr<ThreadSession> session(new ThreadSession(world));
  ExecutorOptions executorOptions = ::executorOptions(options, world);
  session->threads = executorOptions.threads;
  session->ends = createThreadCollectives(world, {options.timeout, executorOptions.spin});
  Result<void> ready = session->onAllRanks([&](int rank) -> Result<void> {
    Result<std::unique_ptr<Executor>> executor =
        Executor::create(package, *session->ends[rank], executorOptions);
    if (!executor)
      return executor.takeError();
    session->executors[rank] = std::move(*executor);
    return {};
  });
  if (!ready)
    return ready.takeError();
  return std::unique_ptr<Session>(std::move(session));
}

Result<std::unique_ptr<Session>> MpiSession::open(std::shared_ptr<Package> package, int world,
                                                  const SessionOptions &options) {
  std::unique_ptr<MpiSession> session(new MpiSession);
  Result<std::unique_ptr<Collectives>> collectives = createMpiCollectives({options.timeout, false});
  if (!collectives)
    return collectives.takeError();
  session->collectives = std::move(*collectives);
  if (session->collectives->size() != world) {
    std::string message = "the plan needs " + std::to_string(world) +
                          " ranks, MPI_COMM_WORLD has " +
                          std::to_string(session->collectives->size()) +
                          "; start it with mpirun -n " + std::to_string(world);
    // All processes know it; one says it, and none leaves before it has.
    if (session->rank() == 0)
      session->abort(message, 4);
    (void)session->barrier();
    return Error{message};
  }
  ExecutorOptions executorOptions = ::executorOptions(options, session->collectives->localRanks());
  session->threads = executorOptions.threads;
  Result<std::unique_ptr<Executor>> executor =
      Executor::create(std::move(package), *session->collectives, executorOptions);
  if (!executor)
    session->abort(executor.message(), 4); // does not return
  session->executor = std::move(*executor);
  return std::unique_ptr<Session>(std::move(session));
}

Result<std::unique_ptr<Session>> Session::open(std::shared_ptr<Package> package,
                                               const SessionOptions &options) {
  Result<int> world = Executor::worldSize(package->plan());
  if (!world)
    return world.takeError();
  SessionOptions all = options;
  // The plan's own states first; the user's replace one of the same input.
  all.states.clear();
  for (const plan::v1::State &state : package->plan().model().states()) {
    auto replaces = [&](const auto &pair) { return pair.first == state.input(); };
    if (std::none_of(options.states.begin(), options.states.end(), replaces))
      all.states.emplace_back(state.input(), state.output());
  }
  all.states.insert(all.states.end(), options.states.begin(), options.states.end());
  if (options.backend == "threads")
    return ThreadSession::open(std::move(package), *world, all);
  if (options.backend == "mpi")
    return MpiSession::open(std::move(package), *world, all);
  return Error{"there is no back end '" + options.backend + "', expected threads or mpi"};
}

Result<std::vector<std::pair<std::string, std::string>>>
dougong::expandStates(const plan::v1::Model &model, const std::vector<std::string> &patterns) {
  std::vector<std::pair<std::string, std::string>> states;
  for (const std::string &pattern : patterns) {
    std::size_t equals = pattern.find('=');
    if (equals == std::string::npos)
      return Error{"state '" + pattern + "' must be INPUT=OUTPUT"};
    std::string left = pattern.substr(0, equals), right = pattern.substr(equals + 1);
    std::size_t star = left.find('*');
    bool fits = false;
    for (const plan::v1::Value &input : model.inputs()) {
      std::string output = right;
      if (star == std::string::npos) {
        if (input.name() != left)
          continue;
      } else {
        std::string prefix = left.substr(0, star), suffix = left.substr(star + 1);
        const std::string &name = input.name();
        if (name.size() < prefix.size() + suffix.size() || !name.starts_with(prefix) ||
            !name.ends_with(suffix))
          continue;
        std::string middle =
            name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
        if (std::size_t place = output.find('*'); place != std::string::npos)
          output.replace(place, 1, middle);
      }
      fits = true;
      auto named = [&](const plan::v1::Value &value) { return value.name() == output; };
      if (std::none_of(model.outputs().begin(), model.outputs().end(), named))
        return Error{"state '" + pattern + "': the model has no output '" + output +
                     "' for input '" + input.name() + "'"};
      states.emplace_back(input.name(), output);
    }
    if (!fits)
      return Error{"state '" + pattern + "': the model has no such input"};
  }
  return states;
}
