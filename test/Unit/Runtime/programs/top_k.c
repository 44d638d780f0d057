/* A hand-made program that calls the operator library: TopK of 3 along dim 1. */
#include "dougong-c/program.h"

int32_t dougong_program_abi(void) { return DOUGONG_PROGRAM_ABI; }

int32_t dougong_program_shapes(const int64_t *input_dims, const int64_t *coordinates,
                               int64_t *output_dims, int64_t *arena_bytes) {
  output_dims[0] = output_dims[2] = input_dims[0];
  output_dims[1] = output_dims[3] = 3;
  *arena_bytes = 0;
  return 0;
}

int32_t dougong_program_run(const dougong_context *context, void *const *inputs,
                            void *const *outputs, const int64_t *input_dims) {
  const int64_t out[2] = {input_dims[0], 3}, attributes[3] = {1, 1, 1};
  dougong_tensor tensors[3] = {{outputs[0], out, 2, DOUGONG_F32},
                               {outputs[1], out, 2, DOUGONG_I64},
                               {inputs[0], input_dims, 2, DOUGONG_F32}};
  context->host->library(context, "TopK", tensors, 3, attributes, 3);
  return 0;
}
