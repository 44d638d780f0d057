/* The ABI between a compiled program (programs/<hash>.so) and the process that
 * runs it. Plain C, versioned; neither side needs the compiler.
 *
 * A program is one fragment of a partitioned model: the code that a set of
 * ranks runs in one step. It owns no memory and no threads. Everything it may
 * touch comes in through dougong_context.
 *
 * A program exports
 *
 *   int32_t dougong_program_abi(void);
 *   int32_t dougong_program_shapes(const int64_t *input_dims,
 *                                  const int64_t *coordinates,
 *                                  int64_t *output_dims, int64_t *arena_bytes);
 *   int32_t dougong_program_run(const dougong_context *context,
 *                               void *const *inputs, void *const *outputs,
 *                               const int64_t *input_dims);
 *
 * `input_dims` is the concatenation of the shapes of all inputs in order,
 * `output_dims` that of all outputs. Inputs and outputs are row-major and
 * 64-byte aligned. An extent of an output that depends on data is -1 in
 * `output_dims`; the program then hands that output over with `give_output`, and
 * its pointer in `outputs` is null. All functions return 0 or a positive code: 1 + the index of
 * the failed entry of the program's `checks` in the plan (which holds the text).
 */
#ifndef DOUGONG_C_PROGRAM_H
#define DOUGONG_C_PROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOUGONG_PROGRAM_ABI 4

/* Element types, numbered as ONNX's TensorProto.DataType. Elements of less than
 * a byte lie in a byte each, integers extended by their sign. */
typedef int32_t dougong_dtype;
enum {
  DOUGONG_F32 = 1,
  DOUGONG_U8 = 2,
  DOUGONG_I8 = 3,
  DOUGONG_U16 = 4,
  DOUGONG_I16 = 5,
  DOUGONG_I32 = 6,
  DOUGONG_I64 = 7,
  DOUGONG_STRING = 8,
  DOUGONG_BOOL = 9,
  DOUGONG_F16 = 10,
  DOUGONG_F64 = 11,
  DOUGONG_U32 = 12,
  DOUGONG_U64 = 13,
  DOUGONG_BF16 = 16,
  /* Beyond ONNX's numbers: a sequence, or an optional value, is the element of a scalar. */
  DOUGONG_SEQUENCE = 64,
  DOUGONG_OPTIONAL = 65,
  /* Not a tensor: `data` is a dougong_body_fn that the operator library runs. */
  DOUGONG_BODY = 66
};

/* Reductions that a collective may apply. */
typedef int32_t dougong_reduction;
enum { DOUGONG_SUM = 0, DOUGONG_MAX = 1, DOUGONG_MIN = 2, DOUGONG_PROD = 3 };

/* An element of a DOUGONG_STRING tensor: `size` bytes of UTF-8, no final zero.
 * The characters live until the end of the step; a program only passes
 * elements on, the operator library makes new ones. */
typedef struct dougong_string {
  const char *data;
  int64_t size;
} dougong_string;

/* A tensor as the operator library sees it: row-major, `rank` dims. */
typedef struct dougong_tensor {
  void *data;
  const int64_t *dims;
  int32_t rank;
  dougong_dtype dtype;
} dougong_tensor;

/* The element of a DOUGONG_SEQUENCE or DOUGONG_OPTIONAL tensor: `size` values, for
 * an optional 0 or 1. A value may be a sequence itself: then it is a scalar of
 * that type. What it points to is never changed, and lives until the next step. */
typedef struct dougong_sequence {
  const dougong_tensor *values;
  int64_t size;
} dougong_sequence;

struct dougong_context;

/* The body of a parallel loop: runs iterations [begin, end). */
typedef void (*dougong_loop_body)(void *argument, int64_t begin, int64_t end);

/* What the host gives to a program. Each function takes the context first and,
 * where it can fail, aborts the step by itself (it does not return): programs
 * need no error paths. `call` is the index of the communication in the plan's
 * call list; ranks of a group must make the same calls in the same order. */
typedef struct dougong_host {
  uint32_t abi;         /* DOUGONG_PROGRAM_ABI */
  uint32_t struct_size; /* sizeof(dougong_host), to grow at the end */

  /* Runs `body` over [0, count) on the thread pool. A chunk is at least
   * `grain` iterations; one chunk runs on the caller. */
  void (*parallel_for)(const struct dougong_context *context, dougong_loop_body body,
                       void *argument, int64_t count, int64_t grain);

  /* Collectives. `count` is in elements of `dtype`, per rank for the source of
   * all_gather, the destination of reduce_scatter, and one peer's part of
   * all_to_all. Results are concatenated in group order along dimension 0.
   * `source` may equal `destination` for all_reduce only. */
  void (*all_reduce)(const struct dougong_context *context, int64_t group, const void *source,
                     void *destination, int64_t count, dougong_dtype dtype,
                     dougong_reduction reduction, int64_t call);
  void (*all_gather)(const struct dougong_context *context, int64_t group, const void *source,
                     void *destination, int64_t count, dougong_dtype dtype, int64_t call);
  void (*reduce_scatter)(const struct dougong_context *context, int64_t group, const void *source,
                         void *destination, int64_t count, dougong_dtype dtype,
                         dougong_reduction reduction, int64_t call);
  void (*all_to_all)(const struct dougong_context *context, int64_t group, const void *source,
                     void *destination, int64_t count, dougong_dtype dtype, int64_t call);

  /* Runs operator-library function `name` (lib/Runtime/Library): operators
   * that are not loop nests over numbers. "#<i>" may follow the name: the plan's
   * list library_nodes says whom the call serves. Outputs come first in `tensors`;
   * `attributes` is the function's own list of integers. An operand that is
   * absent has dtype 0. Where an output's `data` is null the function sets its
   * `data` and `dims`, which live until the next step. */
  void (*library)(const struct dougong_context *context, const char *name, dougong_tensor *tensors,
                  int64_t count, const int64_t *attributes, int64_t attribute_count);

  /* Ends the step with a message that names the ONNX node `node`. */
  void (*fail)(const struct dougong_context *context, const char *node, const char *message);

  /* Memory for what has no place in the arena, as its size depends on data:
   * 64-byte aligned, uninitialised, until the next step. */
  void *(*allocate)(const struct dougong_context *context, int64_t bytes);

  /* Hands over output `index`, whose extents depend on data. `data` and `dims`
   * must live until the end of the step. */
  void (*give_output)(const struct dougong_context *context, int64_t index, const void *data,
                      const int64_t *dims, int64_t rank);

  /* A collective of rows, of `row` elements each, whose numbers depend on data.
   * `source` has room for `source_rows` rows and begins with a run of counts[m] for
   * each member m. `destination` gets the runs from all members, in group order, of
   * received[m] rows; the rest of its `destination_rows` rows is filled with zeros. */
  void (*ragged_all_to_all)(const struct dougong_context *context, int64_t group,
                            const void *source, int64_t source_rows, const int64_t *counts,
                            void *destination, int64_t destination_rows, int64_t *received,
                            int64_t row, dougong_dtype dtype, int64_t call);
  /* A collective. `group` and `from` have the same members in two orders: each gets
   * the `count` elements of the member that has, in `from`, its own place in `group`. */
  void (*permute)(const struct dougong_context *context, int64_t group, int64_t from,
                  const void *source, void *destination, int64_t count, dougong_dtype dtype,
                  int64_t call);
} dougong_host;

typedef struct dougong_context {
  const dougong_host *host;
  void *arena;                /* 64-byte aligned, of the size that _shapes gave */
  void *const *weights;       /* one pointer for each weight of the program, 64-byte aligned */
  const int64_t *coordinates; /* this rank's index on each axis of the program's mesh */
  void *runtime;              /* the host's own */
} dougong_context;

/* The body of a loop or a branch, as a program gives it to the operator library.
 * `input_dims` is the concatenation of the inputs' shapes. Sets `outputs`, which live
 * until the next step. Returns 0, or a positive code where a dim of an input is not
 * what the model says. */
typedef int32_t (*dougong_body_fn)(const dougong_context *context, void *const *inputs,
                                   dougong_tensor *outputs, const int64_t *input_dims);

typedef int32_t (*dougong_program_abi_fn)(void);
typedef int32_t (*dougong_program_shapes_fn)(const int64_t *input_dims, const int64_t *coordinates,
                                             int64_t *output_dims, int64_t *arena_bytes);
typedef int32_t (*dougong_program_run_fn)(const dougong_context *context, void *const *inputs,
                                          void *const *outputs, const int64_t *input_dims);

#ifdef __cplusplus
}
#endif

#endif /* DOUGONG_C_PROGRAM_H */
