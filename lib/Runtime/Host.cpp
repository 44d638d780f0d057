//===- Host.cpp - what a program sees of its host -------------------------===//
#include "Host.h"

#include "dougong/Runtime/ElementType.h"

#include <charconv>
#include <chrono>
#include <csetjmp>

using namespace dougong;

//===----------------------------------------------------------------------===//
// Leaving a program
//===----------------------------------------------------------------------===//

namespace {
/// Where a failing host function goes on this thread.
struct Landing {
  jmp_buf place;
};
thread_local Landing *landing = nullptr;
} // namespace

/// Runs `body()`, which runs program code; false if a host function left it.
template <typename Body> static bool runProgramCode(Body body) {
  Landing here;
  Landing *const outer = landing;
  if (_setjmp(here.place) != 0) {
    landing = outer;
    return false;
  }
  landing = &here;
  body();
  landing = outer;
  return true;
}

/// Leaves the program. No object with a destructor may be alive in the frames
/// between here and the landing: host functions call this last.
[[noreturn]] static void leaveProgram() { std::longjmp(landing->place, 1); }

static ProgramHost &hostOf(const dougong_context *context) {
  return *static_cast<ProgramHost *>(context->runtime);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
struct Loop {
  dougong_loop_body body;
  void *argument;
  std::atomic<bool> failed;
};
} // namespace

static void runChunk(void *argument, std::int64_t begin, std::int64_t end) {
  auto &loop = *static_cast<Loop *>(argument);
  if (loop.failed.load(std::memory_order_relaxed))
    return;
  if (!runProgramCode([&] { loop.body(loop.argument, begin, end); }))
    loop.failed = true;
}

static void hostParallelFor(const dougong_context *context, dougong_loop_body body, void *argument,
                            std::int64_t count, std::int64_t grain) {
  ThreadPool &pool = hostOf(context).pool;
  if (pool.threads() == 1 || count <= grain) {
    if (count > 0)
      body(argument, 0, count);
    return;
  }
  Loop loop{body, argument, false};
  pool.parallelFor(runChunk, &loop, count, grain);
  if (loop.failed)
    leaveProgram();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

namespace {
/// A collective as a program asks for it.
struct Request {
  const char *kind;
  std::int64_t group, count, call;
  dougong_dtype dtype;
  std::int64_t from = 0; ///< the group of the senders; 0 but for permute
};
} // namespace

/// Fails unless the call is one that the plan announces.
static Result<void> checkCall(const ProgramHost &host, const Request &request) {
  std::string what =
      std::string("the program calls ") + request.kind + " as call " + std::to_string(request.call);
  if (request.call < 0 || request.call >= host.program.calls_size())
    return Error{what + ", the plan lists " + std::to_string(host.program.calls_size()) + " calls"};
  const plan::v1::Call &call = host.program.calls(static_cast<int>(request.call));
  if (call.kind() != request.kind)
    return Error{what + ", the plan says " + call.kind()};
  if (request.group != call.group() ||
      request.group >= static_cast<std::int64_t>(host.groups.size()))
    return Error{what + " of group " + std::to_string(request.group) + ", the plan says group " +
                 std::to_string(call.group())};
  if (request.from != call.from() || request.from >= static_cast<std::int64_t>(host.groups.size()))
    return Error{what + " from group " + std::to_string(request.from) + ", the plan says group " +
                 std::to_string(call.from())};
  if (request.dtype != call.dtype())
    return Error{what + " of " + elementTypeName(request.dtype) + ", the plan says " +
                 elementTypeName(call.dtype())};
  if (request.count < 0)
    return Error{what + " of " + std::to_string(request.count) + " elements"};
  return {};
}

/// Runs `call(group, site)` and records what it cost; false after a failure.
template <typename Call>
static bool communicate(ProgramHost &host, const Request &request, Call call) {
  using Clock = std::chrono::steady_clock;
  if (Result<void> valid = checkCall(host, request); !valid) {
    host.fail(valid.message());
    return false;
  }
  CallSite site{request.call, host.program.calls(static_cast<int>(request.call)).node().c_str()};
  Clock::time_point begin = host.profile ? Clock::now() : Clock::time_point();
  Result<void> done = call(host.groups[request.group], site);
  if (!done) {
    host.fail(done.message());
    return false;
  }
  if (host.profile) {
    CallCost &cost = host.costs[request.call];
    cost.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    cost.bytes += request.count * elementBytes(request.dtype);
    ++cost.times;
  }
  return true;
}

static void hostAllReduce(const dougong_context *context, std::int64_t group, const void *source,
                          void *destination, std::int64_t count, dougong_dtype dtype,
                          dougong_reduction reduction, std::int64_t call) {
  ProgramHost &host = hostOf(context);
  if (!communicate(host, {"all_reduce", group, count, call, dtype},
                   [&](int id, const CallSite &site) {
                     return host.collectives.allReduce(id, source, destination, count, dtype,
                                                       reduction, site);
                   }))
    leaveProgram();
}

static void hostAllGather(const dougong_context *context, std::int64_t group, const void *source,
                          void *destination, std::int64_t count, dougong_dtype dtype,
                          std::int64_t call) {
  ProgramHost &host = hostOf(context);
  if (!communicate(host, {"all_gather", group, count, call, dtype},
                   [&](int id, const CallSite &site) {
                     return host.collectives.allGather(id, source, destination, count, dtype, site);
                   }))
    leaveProgram();
}

static void hostReduceScatter(const dougong_context *context, std::int64_t group,
                              const void *source, void *destination, std::int64_t count,
                              dougong_dtype dtype, dougong_reduction reduction, std::int64_t call) {
  ProgramHost &host = hostOf(context);
  if (!communicate(host, {"reduce_scatter", group, count, call, dtype},
                   [&](int id, const CallSite &site) {
                     return host.collectives.reduceScatter(id, source, destination, count, dtype,
                                                           reduction, site);
                   }))
    leaveProgram();
}

static void hostAllToAll(const dougong_context *context, std::int64_t group, const void *source,
                         void *destination, std::int64_t count, dougong_dtype dtype,
                         std::int64_t call) {
  ProgramHost &host = hostOf(context);
  if (!communicate(host, {"all_to_all", group, count, call, dtype},
                   [&](int id, const CallSite &site) {
                     return host.collectives.allToAll(id, source, destination, count, dtype, site);
                   }))
    leaveProgram();
}

static void hostRaggedAllToAll(const dougong_context *context, std::int64_t group,
                               const void *source, std::int64_t sourceRows,
                               const std::int64_t *counts, void *destination,
                               std::int64_t destinationRows, std::int64_t *received,
                               std::int64_t row, dougong_dtype dtype, std::int64_t call) {
  ProgramHost &host = hostOf(context);
  Collectives::RaggedRows rows{source,     counts,          destination, received,
                               sourceRows, destinationRows, row};
  std::int64_t sent = 0;
  if (group >= 0 && group < static_cast<std::int64_t>(host.groups.size()))
    for (std::size_t m = 0; m < host.collectives.groupRanks(host.groups[group]).size(); ++m)
      sent += counts[m];
  if (!communicate(host, {"ragged_all_to_all", group, sent * row, call, dtype},
                   [&](int id, const CallSite &site) {
                     return host.collectives.raggedAllToAll(id, rows, dtype, site);
                   }))
    leaveProgram();
}

static void hostPermute(const dougong_context *context, std::int64_t group, std::int64_t from,
                        const void *source, void *destination, std::int64_t count,
                        dougong_dtype dtype, std::int64_t call) {
  ProgramHost &host = hostOf(context);
  if (!communicate(host, {"permute", group, count, call, dtype, from},
                   [&](int id, const CallSite &site) {
                     return host.collectives.permute(id, host.groups[from], source, destination,
                                                     count, dtype, site);
                   }))
    leaveProgram();
}

//===----------------------------------------------------------------------===//
// Operator library and failures
//===----------------------------------------------------------------------===//

/// "node 'reshape_1' (Reshape)" of "ExtentsOfReshape" and the number of the call.
static std::string describeCall(const ProgramHost &host, std::string_view function,
                                std::string_view number) {
  if (function.starts_with("ExtentsOf"))
    function.remove_prefix(9);
  int site = -1;
  std::from_chars(number.data(), number.data() + number.size(), site);
  if (site < 0 || site >= host.program.library_nodes_size())
    return std::string(function);
  return "node '" + host.program.library_nodes(site) + "' (" + std::string(function) + ")";
}

static bool runLibrary(ProgramHost &host, std::string_view name, const LibraryCall &call) {
  std::size_t end = std::min(name.find('#'), name.size());
  std::string_view number = name.substr(std::min(end + 1, name.size()));
  name = name.substr(0, end);
  LibraryFunction function = findLibraryFunction(name);
  if (!function) {
    host.fail("the operator library of this runner has no function '" + std::string(name) +
              "'; the package was made by another version");
    return false;
  }
  Result<void> done;
  try {
    done = function(call);
  } catch (const std::exception &exception) { // e.g. no memory
    done = Error{exception.what()};
  }
  if (!done)
    host.fail(describeCall(host, name, number) + ": " + done.message());
  return static_cast<bool>(done);
}

/// Runs the body of a loop or a branch. A failure in it leaves the body alone: the
/// library function ends as after any other failure.
static Result<void> runBody(const dougong_context *context, const dougong_tensor &body,
                            std::span<const dougong_tensor> inputs,
                            std::span<dougong_tensor> outputs) {
  std::vector<void *> pointers;
  std::vector<std::int64_t> dims;
  for (const dougong_tensor &input : inputs) {
    pointers.push_back(input.data);
    dims.insert(dims.end(), input.dims, input.dims + input.rank);
  }
  auto function = reinterpret_cast<dougong_body_fn>(body.data);
  std::int32_t code = 0;
  if (!runProgramCode(
          [&] { code = function(context, pointers.data(), outputs.data(), dims.data()); }))
    return Error{hostOf(context).failureText()};
  if (code != 0)
    return Error{"a value that enters the body has other dims than the model says"};
  return {};
}

/// The call is made here, so that nothing with a destructor lives where a failure
/// leaves the program.
static bool callLibrary(const dougong_context *context, const char *name,
                        std::span<dougong_tensor> tensors,
                        std::span<const std::int64_t> attributes) {
  ProgramHost &host = hostOf(context);
  return runLibrary(host, name,
                    {tensors, attributes, &host.pool, &host.strings,
                     [&host](std::size_t bytes) { return host.allocate(bytes); },
                     [context](const dougong_tensor &body, std::span<const dougong_tensor> inputs,
                               std::span<dougong_tensor> outputs) {
                       return runBody(context, body, inputs, outputs);
                     }});
}

static void hostLibrary(const dougong_context *context, const char *name, dougong_tensor *tensors,
                        std::int64_t count, const std::int64_t *attributes,
                        std::int64_t attributeCount) {
  if (!callLibrary(context, name, {tensors, static_cast<std::size_t>(count)},
                   {attributes, static_cast<std::size_t>(attributeCount)}))
    leaveProgram();
}

static void *allocateOrFail(ProgramHost &host, std::int64_t bytes) {
  if (bytes < 0) {
    host.fail("an extent that depends on data is negative");
    return nullptr;
  }
  Result<void *> memory = host.allocate(static_cast<std::size_t>(bytes));
  if (!memory)
    host.fail(memory.message());
  return memory ? *memory : nullptr;
}

static void *hostAllocate(const dougong_context *context, std::int64_t bytes) {
  void *memory = allocateOrFail(hostOf(context), bytes);
  if (!memory)
    leaveProgram();
  return memory;
}

static void hostGiveOutput(const dougong_context *context, std::int64_t index, const void *data,
                           const std::int64_t *dims, std::int64_t rank) {
  hostOf(context).givenOutputs[index] = {data, {dims, dims + rank}};
}

static void hostFail(const dougong_context *context, const char *node, const char *message) {
  hostOf(context).fail("node '" + std::string(node ? node : "") +
                       "': " + (message ? message : "failed"));
  leaveProgram();
}

static constexpr dougong_host hostTable = {
    DOUGONG_PROGRAM_ABI, sizeof(dougong_host), hostParallelFor, hostAllReduce, hostAllGather,
    hostReduceScatter,   hostAllToAll,         hostLibrary,     hostFail,      hostAllocate,
    hostGiveOutput,      hostRaggedAllToAll,   hostPermute,
};

//===----------------------------------------------------------------------===//
// ProgramHost
//===----------------------------------------------------------------------===//

ProgramHost::ProgramHost(const plan::v1::Program &program, Collectives &collectives,
                         ThreadPool &pool, StringStore &strings, std::vector<int> groups)
    : costs(program.calls_size()), program(program), collectives(collectives), pool(pool),
      strings(strings), groups(std::move(groups)) {}

void ProgramHost::fail(std::string message) {
  std::lock_guard lock(mutex);
  if (failed)
    return;
  failed = true;
  failure = std::move(message);
}

Result<void *> ProgramHost::allocate(std::size_t bytes) {
  // Of no bytes too: null means failure to a program.
  Result<Buffer> buffer = Buffer::allocate(std::max<std::size_t>(bytes, 64));
  if (!buffer)
    return buffer.takeError();
  heap.push_back(std::move(*buffer));
  return static_cast<void *>(heap.back().data());
}

std::string dougong::checkText(const plan::v1::Program &program, std::int32_t code) {
  if (code >= 1 && code <= program.checks_size())
    return program.checks(code - 1);
  return "the program returned code " + std::to_string(code) + ", the plan lists " +
         std::to_string(program.checks_size()) + " checks";
}

Result<void> ProgramHost::run(const LoadedProgram &loaded, void *arena, void *const *weights,
                              const std::int64_t *coordinates, void *const *inputs,
                              void *const *outputs, const std::int64_t *inputDims) {
  failed = false;
  heap.clear();
  givenOutputs.clear();
  const dougong_context context = {&hostTable, arena, weights, coordinates, this};
  std::int32_t code = 0;
  if (!runProgramCode([&] { code = loaded.run(&context, inputs, outputs, inputDims); }))
    return Error{failure};
  if (code != 0)
    return Error{checkText(program, code)};
  return {};
}
