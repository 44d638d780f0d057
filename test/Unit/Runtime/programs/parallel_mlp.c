/* A hand-made program: y = relu(x W1) W2, W1 cut by columns and W2 by rows over
 * axis "tp", so that each rank holds a partial sum and an all-reduce makes y.
 *
 *   input   x [batch, K]      weights  W1 [K, hidden], W2 [hidden, N] (local),
 *   output  y [batch, N]               sizes [K, hidden] int64
 *
 * x[0] chooses a failure: 666 fails at a node, 667 fails inside a parallel loop
 * on the rank with tp = 1, 668 returns a check's code on that rank. */
#include "dougong-c/program.h"

enum { N = 5 };

int32_t dougong_program_abi(void) { return DOUGONG_PROGRAM_ABI; }

int32_t dougong_program_shapes(const int64_t *input_dims, const int64_t *coordinates,
                               int64_t *output_dims, int64_t *arena_bytes) {
  if (input_dims[0] > 100)
    return 1;
  output_dims[0] = input_dims[0];
  output_dims[1] = N;
  *arena_bytes = input_dims[0] * 64 * 4;
  return 0;
}

typedef struct {
  const dougong_context *context;
  const float *x, *w1, *w2;
  float *hidden, *y;
  int64_t k, width;
} job;

static void rows(void *argument, int64_t begin, int64_t end) {
  job *j = (job *)argument;
  if (j->x[0] == 667 && j->context->coordinates[1] == 1)
    j->context->host->fail(j->context, "mlp/Relu", "a loop failed");
  for (int64_t row = begin; row < end; ++row) {
    float *h = j->hidden + row * 64;
    for (int64_t c = 0; c < j->width; ++c) {
      float sum = 0;
      for (int64_t i = 0; i < j->k; ++i)
        sum += j->x[row * j->k + i] * j->w1[i * j->width + c];
      h[c] = sum > 0 ? sum : 0;
    }
    for (int64_t c = 0; c < N; ++c) {
      float sum = 0;
      for (int64_t i = 0; i < j->width; ++i)
        sum += h[i] * j->w2[i * N + c];
      j->y[row * N + c] = sum;
    }
  }
}

int32_t dougong_program_run(const dougong_context *context, void *const *inputs,
                            void *const *outputs, const int64_t *input_dims) {
  const int64_t *sizes = (const int64_t *)context->weights[2];
  job j = {context,
           (const float *)inputs[0],
           (const float *)context->weights[0],
           (const float *)context->weights[1],
           (float *)context->arena,
           (float *)outputs[0],
           sizes[0],
           sizes[1]};
  if (j.x[0] == 666)
    context->host->fail(context, "mlp/MatMul", "the number of the beast");
  if (j.x[0] == 668 && context->coordinates[1] == 1)
    return 2;
  context->host->parallel_for(context, rows, &j, input_dims[0], 1);
  context->host->all_reduce(context, 0, j.y, j.y, input_dims[0] * N, DOUGONG_F32, DOUGONG_SUM, 0);
  return 0;
}
