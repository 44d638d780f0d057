//===- Collectives.h - how ranks communicate --------------------*- C++ -*-===//
//
// One interface, two back ends: `threads` (the ranks are threads of this
// process) and `mpi` (one process per rank; lives in its own shared library, so
// that nothing else needs an MPI installation). Both reduce in group order with
// the same arithmetic: the same program gives the same bits on either.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_RUNTIME_COLLECTIVES_H
#define DOUGONG_RUNTIME_COLLECTIVES_H

#include "dougong-c/program.h"
#include "dougong/Support/Result.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dougong {

/// What a communication is for; only named in messages.
struct CallSite {
  std::int64_t call = -1;     ///< index in the program's call list, or -1
  const char *node = nullptr; ///< the ONNX node that it serves, or null
};

struct CollectivesOptions {
  /// How long to wait for the other ranks in one call.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  /// True only where ranks x threads do not exceed the cores of the host.
  bool spin = false;
};

/// One rank's end of the communication. Used by one thread at a time.
///
/// All operations block, except that sends and receives are started and waited
/// for separately. Members of a group make the same calls in the same order.
/// Counts are in elements of `dtype`, as in dougong_host. Errors (a timeout, a
/// call that does not fit the other ranks', a failed rank) name the call and the
/// rank; after one the world cannot be used any more, and the arrays given to
/// the failed call must live until every rank has left the world.
class Collectives {
public:
  virtual ~Collectives();

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// "threads" or "mpi".
  virtual const char *backend() const = 0;
  /// How many ranks of the world run on this host, this one included.
  virtual int localRanks() const = 0;

  /// The group of all ranks in order.
  static constexpr int world = 0;
  /// Makes a group of distinct ranks, of which this rank is one; members call
  /// this for their common groups in the same order, others not at all. The
  /// result is this rank's number for it, 1, 2, ...
  virtual Result<int> createGroup(std::vector<int> ranks) = 0;
  /// The ranks of a group, in order.
  virtual const std::vector<int> &groupRanks(int group) const = 0;

  /// destination[i] = the reduction over all members of source[i]. The two may
  /// be the same array.
  virtual Result<void> allReduce(int group, const void *source, void *destination,
                                 std::int64_t count, dougong_dtype dtype,
                                 dougong_reduction reduction, const CallSite &site) = 0;
  /// `count` elements of every member, in group order.
  virtual Result<void> allGather(int group, const void *source, void *destination,
                                 std::int64_t count, dougong_dtype dtype, const CallSite &site) = 0;
  /// Member m gets elements [m * count, (m + 1) * count) of the reduction.
  virtual Result<void> reduceScatter(int group, const void *source, void *destination,
                                     std::int64_t count, dougong_dtype dtype,
                                     dougong_reduction reduction, const CallSite &site) = 0;
  /// Member m gets the m-th run of `count` elements of every member, in order.
  virtual Result<void> allToAll(int group, const void *source, void *destination,
                                std::int64_t count, dougong_dtype dtype, const CallSite &site) = 0;
  /// What a rank gives to raggedAllToAll and gets.
  struct RaggedRows {
    const void *source;                       ///< a run of counts[m] rows for each member m
    const std::int64_t *counts;               ///< one for each member
    void *destination;                        ///< the runs from all members, then zeros
    std::int64_t *received;                   ///< rows from each member
    std::int64_t sourceRows, destinationRows; ///< room in the two
    std::int64_t row;                         ///< elements of a row
  };
  /// Rows go to the members that want them. How many there are depends on data: counts
  /// are exchanged first. Fails where they exceed the room. The members' rooms are equal.
  virtual Result<void> raggedAllToAll(int group, const RaggedRows &rows, dougong_dtype dtype,
                                      const CallSite &site) = 0;
  /// `from` has the members of `group` in another order: the i-th of `group` gets the
  /// `count` elements of the i-th of `from`.
  virtual Result<void> permute(int group, int from, const void *source, void *destination,
                               std::int64_t count, dougong_dtype dtype, const CallSite &site) = 0;
  virtual Result<void> barrier(int group, const CallSite &site) = 0;

  /// A started send or receive.
  struct Request;
  using RequestPtr = std::unique_ptr<Request>;
  /// Messages between two ranks with equal tags (0 <= tag < 2^27) arrive in
  /// order. The data must live, and for a send not change, until waited for.
  virtual Result<RequestPtr> startSend(int rank, int tag, const void *data, std::size_t bytes) = 0;
  virtual Result<RequestPtr> startReceive(int rank, int tag, void *data, std::size_t bytes) = 0;
  virtual Result<void> wait(std::span<RequestPtr> requests, const CallSite &site) = 0;

  Result<void> send(int rank, int tag, const void *data, std::size_t bytes,
                    const CallSite &site = {});
  Result<void> receive(int rank, int tag, void *data, std::size_t bytes, const CallSite &site = {});

  /// Ends the whole job because this rank failed. `threads`: the other ranks'
  /// calls return `message` as an error. `mpi`: prints it, and every process
  /// ends with `exitCode`; does not return.
  virtual void abort(const std::string &message, int exitCode) = 0;
};

/// Base of the back ends' requests.
struct Collectives::Request {
  virtual ~Request();
};

/// The sum of `counts`, of rows of which the caller has `room`; `what` is for messages:
/// "rank 1 sends". Fails if one is negative or they are more than the room.
Result<std::int64_t> addUpRows(std::span<const std::int64_t> counts, std::int64_t room,
                               const std::string &what, const CallSite &site);

/// The ends of `ranks` ranks that are threads of this process.
std::vector<std::unique_ptr<Collectives>>
createThreadCollectives(int ranks, const CollectivesOptions &options);

/// Loads the MPI back end and initialises MPI: this process is one rank of
/// MPI_COMM_WORLD. Fails if the library or MPI is missing. At most once.
Result<std::unique_ptr<Collectives>> createMpiCollectives(const CollectivesOptions &options);

/// "all_reduce (call 3, node '/mlp/MatMul')" for messages.
std::string describeCall(const char *kind, const CallSite &site);

/// The entry of libdougong_mpi. Null on failure, with a message in `error`.
extern "C" typedef Collectives *(*MpiCollectivesEntry)(const CollectivesOptions *options,
                                                       char *error, std::size_t errorSize);
inline constexpr const char *mpiCollectivesEntryName = "dougong_create_mpi_collectives";

} // namespace dougong

#endif // DOUGONG_RUNTIME_COLLECTIVES_H
