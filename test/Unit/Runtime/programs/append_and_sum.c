/* A hand-made program with a state:
 *
 *   inputs   h [batch, 8], past [batch, past, 8]
 *   outputs  present [batch, past + 1, 8] = concat(past, h), sum [batch, 8] of it
 */
#include "dougong-c/program.h"

int32_t dougong_program_abi(void) { return DOUGONG_PROGRAM_ABI; }

int32_t dougong_program_shapes(const int64_t *input_dims, const int64_t *coordinates,
                               int64_t *output_dims, int64_t *arena_bytes) {
  output_dims[0] = input_dims[0];
  output_dims[1] = input_dims[3] + 1;
  output_dims[2] = 8;
  output_dims[3] = input_dims[0];
  output_dims[4] = 8;
  *arena_bytes = 0;
  return 0;
}

int32_t dougong_program_run(const dougong_context *context, void *const *inputs,
                            void *const *outputs, const int64_t *input_dims) {
  const float *h = (const float *)inputs[0], *past = (const float *)inputs[1];
  float *present = (float *)outputs[0], *sum = (float *)outputs[1];
  int64_t old = input_dims[3];
  for (int64_t b = 0; b < input_dims[0]; ++b)
    for (int64_t c = 0; c < 8; ++c) {
      float total = 0;
      for (int64_t t = 0; t <= old; ++t) {
        float value = t < old ? past[(b * old + t) * 8 + c] : h[b * 8 + c];
        present[(b * (old + 1) + t) * 8 + c] = value;
        total += value;
      }
      sum[b * 8 + c] = total;
    }
  return 0;
}
