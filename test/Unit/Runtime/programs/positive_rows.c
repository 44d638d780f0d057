/* A hand-made program: the rows of x that begin with a positive number. How many
 * depends on data. */
#include "dougong-c/program.h"

int32_t dougong_program_abi(void) { return DOUGONG_PROGRAM_ABI; }

int32_t dougong_program_shapes(const int64_t *input_dims, const int64_t *coordinates,
                               int64_t *output_dims, int64_t *arena_bytes) {
  output_dims[0] = -1;
  output_dims[1] = input_dims[1];
  *arena_bytes = 0;
  return 0;
}

int32_t dougong_program_run(const dougong_context *context, void *const *inputs,
                            void *const *outputs, const int64_t *input_dims) {
  const float *x = (const float *)inputs[0];
  int64_t width = input_dims[1];
  float *y = context->host->allocate(context, (input_dims[0] * width + 1) * (int64_t)sizeof(float));
  int64_t *dims = context->host->allocate(context, 2 * sizeof(int64_t));
  dims[0] = 0;
  dims[1] = width;
  for (int64_t i = 0; i < input_dims[0]; ++i)
    if (x[i * width] > 0) {
      for (int64_t j = 0; j < width; ++j)
        y[dims[0] * width + j] = x[i * width + j];
      ++dims[0];
    }
  context->host->give_output(context, 0, y, dims, 2);
  return 0;
}
