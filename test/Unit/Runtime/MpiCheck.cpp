//===- MpiCheck.cpp - one rank of the MPI tests; run under mpirun ---------===//
#include "CollectiveChecks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

using namespace dougong;

/// `collectives`: random collectives; the others fail on purpose, on rank 1.
int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "collectives";
  auto timeout = std::chrono::milliseconds(std::strcmp(what, "timeout") == 0 ? 500 : 60000);
  Result<std::unique_ptr<Collectives>> end = createMpiCollectives({timeout, false});
  if (!end) {
    std::fprintf(stderr, "%s\n", end.message().c_str());
    return 1;
  }
  if (std::strcmp(what, "timeout") == 0) {
    float value = 1;
    if ((*end)->rank() == 1)
      std::this_thread::sleep_for(std::chrono::seconds(30));
    (void)(*end)->allReduce(0, &value, &value, 1, DOUGONG_F32, DOUGONG_SUM, {3, "mlp/MatMul"});
    return 0;
  }
  if (std::strcmp(what, "abort") == 0) {
    if ((*end)->rank() == 1)
      (*end)->abort("rank 1 has had enough", 5);
    (void)(*end)->barrier(0, {});
    return 0;
  }
  if (std::strcmp(what, "counts") == 0) {
    std::vector<float> data(5000, 1.0f);
    std::int64_t count = (*end)->rank() == 1 ? 5000 : 4000;
    Result<void> done = (*end)->allReduce(0, data.data(), data.data(), count, DOUGONG_F32,
                                          DOUGONG_SUM, {3, "mlp/MatMul"});
    (*end)->abort(done ? "no rank saw it" : done.message(), 5);
    return 0;
  }
  if (std::strcmp(what, "kinds") == 0) {
    float value = 1;
    Result<void> done = (*end)->rank() == 1
                            ? (*end)->barrier(0, {2, nullptr})
                            : (*end)->allGather(0, &value, &value, 1, DOUGONG_F32, {1, nullptr});
    (*end)->abort(done ? "no rank saw it" : done.message(), 5);
    return 0;
  }
  if (std::strcmp(what, "latency") == 0) {
    float value = 1;
    for (int size : {1, 128, 1024, 262144}) {
      std::vector<float> data(size, 1.0f);
      int rounds = size > 10000 ? 50 : 2000;
      (void)(*end)->barrier(0, {});
      auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < rounds; ++i)
        (void)(*end)->allReduce(0, data.data(), data.data(), size, DOUGONG_F32, DOUGONG_MAX, {});
      double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if ((*end)->rank() == 0)
        std::printf("all_reduce of %d f32 on %d ranks: %.1f us\n", size, (*end)->size(),
                    seconds / rounds * 1e6);
    }
    return value != 1;
  }
  for (unsigned seed = 0; seed < 5; ++seed)
    if (std::string failure = checkCollectives(**end, seed); !failure.empty()) {
      (*end)->abort(failure, 1);
      return 1;
    }
  if ((*end)->rank() == 0)
    std::printf("collectives agree on %d ranks\n", (*end)->size());
  return 0;
}
