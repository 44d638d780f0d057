/* A hand-made program over strings: passes the elements on in the other order. */
#include "dougong-c/program.h"

int32_t dougong_program_abi(void) { return DOUGONG_PROGRAM_ABI; }

int32_t dougong_program_shapes(const int64_t *input_dims, const int64_t *coordinates,
                               int64_t *output_dims, int64_t *arena_bytes) {
  output_dims[0] = input_dims[0];
  *arena_bytes = 0;
  return 0;
}

int32_t dougong_program_run(const dougong_context *context, void *const *inputs,
                            void *const *outputs, const int64_t *input_dims) {
  const dougong_string *from = (const dougong_string *)inputs[0];
  dougong_string *to = (dougong_string *)outputs[0];
  for (int64_t i = 0; i < input_dims[0]; ++i)
    to[i] = from[input_dims[0] - 1 - i];
  return 0;
}
