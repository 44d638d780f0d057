//===- RecurrentLoop.cpp - the loop over time ------------------------------===//
#include "Recurrent.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

Value Activation::apply(Emitter &e, Value x) const {
  Type type = x.getType();
  auto number = [&](double value) { return e.constant(type, value); };
  Value zero = number(0), one = number(1);
  if (name == "sigmoid")
    return e.sigmoid(x);
  if (name == "tanh")
    return math::TanhOp::create(e, x);
  if (name == "relu")
    return e.max(x, zero);
  if (name == "affine")
    return e.add(e.mul(x, number(alpha)), number(beta));
  if (name == "leakyrelu")
    return e.select(e.compare(Compare::GreaterEqual, x, zero), x, e.mul(x, number(alpha)));
  if (name == "thresholdedrelu")
    return e.select(e.compare(Compare::GreaterEqual, x, number(alpha)), x, zero);
  if (name == "scaledtanh")
    return e.mul(number(alpha), math::TanhOp::create(e, e.mul(x, number(beta))));
  if (name == "hardsigmoid")
    return e.min(e.max(e.add(e.mul(x, number(alpha)), number(beta)), zero), one);
  if (name == "elu") {
    Value curve = e.mul(number(alpha), math::ExpM1Op::create(e, x));
    return e.select(e.compare(Compare::GreaterEqual, x, zero), x, curve);
  }
  if (name == "softsign")
    return e.div(x, e.add(one, math::AbsFOp::create(e, x)));
  // softplus: log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))
  Value small = math::ExpOp::create(
      e, arith::NegFOp::create(e, math::AbsFOp::create(e, x).getResult()).getResult());
  return e.add(e.max(x, zero), math::Log1pOp::create(e, small));
}

std::string dougong::onnx::readActivations(RecurrentProblem &p, std::optional<ArrayAttr> names,
                                           std::optional<ArrayRef<float>> alphas,
                                           std::optional<ArrayRef<float>> betas,
                                           ArrayRef<StringRef> defaults) {
  unsigned count = defaults.size() * p.directions();
  if (names && names->size() != count)
    return ("expected " + Twine(count) + " activations, got " + Twine(names->size())).str();
  // Each parameter list is consumed by the functions that take that parameter.
  unsigned nextAlpha = 0, nextBeta = 0;
  auto take = [](std::optional<ArrayRef<float>> list, unsigned &next, double otherwise) {
    return list && next < list->size() ? (*list)[next++] : otherwise;
  };
  for (unsigned i = 0; i < count; ++i) {
    StringRef name =
        names ? cast<StringAttr>((*names)[i]).getValue() : defaults[i % defaults.size()];
    Activation activation{name.lower()};
    StringRef lower = activation.name;
    bool plain = lower == "sigmoid" || lower == "tanh" || lower == "relu" || lower == "softsign" ||
                 lower == "softplus";
    if (lower == "affine" || lower == "scaledtanh") {
      activation.alpha = take(alphas, nextAlpha, 1);
      activation.beta = take(betas, nextBeta, lower == "affine" ? 0 : 1);
    } else if (lower == "hardsigmoid") {
      activation.alpha = take(alphas, nextAlpha, 0.2);
      activation.beta = take(betas, nextBeta, 0.5);
    } else if (lower == "leakyrelu") {
      activation.alpha = take(alphas, nextAlpha, 0.01);
    } else if (lower == "thresholdedrelu" || lower == "elu") {
      activation.alpha = take(alphas, nextAlpha, 1);
    } else if (!plain) {
      return ("activation " + name + " is not supported").str();
    }
    p.activations.push_back(activation);
  }
  return "";
}

Value dougong::onnx::takePart(Emitter &e, Value tensor, unsigned dim, OpFoldResult index) {
  RankedTensorType type = typeOf(tensor);
  unsigned rank = type.getRank();
  Extents sizes = e.extentsOf(tensor), offsets(rank, e.attr(0)), strides(rank, e.attr(1));
  offsets[dim] = index;
  sizes[dim] = e.attr(1);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  return tensor::ExtractSliceOp::create(e, RankedTensorType::get(shape, type.getElementType()),
                                        tensor, offsets, sizes, strides);
}

/// `part` put into `whole` at index `at[i]` of dim `dims[i]`.
static Value putPart(Emitter &e, Value part, Value whole, ArrayRef<unsigned> dims,
                     ArrayRef<OpFoldResult> at) {
  unsigned rank = typeOf(whole).getRank();
  Extents sizes = e.extentsOf(whole), offsets(rank, e.attr(0)), strides(rank, e.attr(1));
  for (auto [dim, index] : llvm::zip_equal(dims, at)) {
    offsets[dim] = index;
    sizes[dim] = e.attr(1);
  }
  return tensor::InsertSliceOp::create(e, part, whole, offsets, sizes, strides);
}

/// The biases that can be added before the loop, [gates * hidden]; null if none.
static Value sumBiases(Emitter &e, const RecurrentProblem &p, unsigned dir) {
  if (!p.bias)
    return {};
  OpFoldResult units = e.mulSizes(p.hidden, e.attr(p.gates));
  Value both = takePart(e, p.bias, 0, e.attr(dir));
  Value input = e.slice(both, 0, e.attr(0), units), recurrent = e.slice(both, 0, units, units);
  return e.pointwise({units}, p.compute, {{input, e.identity(1)}, {recurrent, e.identity(1)}},
                     [&](Emitter &e, ValueRange args) {
                       Value first = e.toFloatType(args[0], p.compute);
                       Value sum = e.add(first, e.toFloatType(args[1], p.compute));
                       if (!p.linearBeforeReset)
                         return sum;
                       // The reset gate multiplies the hidden gate's recurrent bias.
                       Value others = e.index(e.mulSizes(p.hidden, e.attr(2)));
                       Value isHidden = e.compare(Compare::GreaterEqual, e.loopIndex(0), others);
                       return e.select(isHidden, first, sum);
                     });
}

/// A state of direction `dir` before the first step, [batch, hidden].
static Value initialState(Emitter &e, const RecurrentProblem &p, Value given, unsigned dir) {
  if (!given)
    return e.filled({p.batch, p.hidden}, e.constant(p.compute, 0));
  Value part = takePart(e, given, p.layout ? 1 : 0, e.attr(dir));
  return e.refine(e.convertTensor(part, p.compute), {p.batch, p.hidden});
}

Lowered dougong::onnx::lowerRecurrence(const RecurrentProblem &p, Emitter &e) {
  unsigned directions = p.directions();
  Type compute = p.compute;
  bool wantsAll = present(p.op->getResult(0));
  Value all;
  if (wantsAll) {
    Extents shape{p.steps, e.attr(directions), p.batch, p.hidden};
    if (p.layout)
      shape = {p.batch, p.steps, e.attr(directions), p.hidden};
    all = e.empty(shape, p.element);
  }
  SmallVector<SmallVector<Value>> last(2); // by state, then direction
  for (unsigned dir = 0; dir < directions; ++dir) {
    bool backward = dir == 1 || p.direction == "reverse";
    Extents sumShape{p.steps, p.batch, e.mulSizes(p.hidden, e.attr(p.gates))};
    Value bias = sumBiases(e, p, dir), init;
    if (bias)
      init = e.pointwise(sumShape, compute, {{bias, e.mapOf(3, {2})}},
                         [](Emitter &, ValueRange args) { return args[0]; });
    else
      init = e.filled(sumShape, e.constant(compute, 0));
    Value sums = p.project(e, dir, init);
    SmallVector<Value> carried{initialState(e, p, p.initialH, dir)};
    if (p.hasCell)
      carried.push_back(initialState(e, p, p.initialC, dir));
    unsigned states = carried.size();
    if (wantsAll)
      carried.push_back(all);
    auto results = e.repeat(p.steps, carried, [&](Emitter &e, Value iv, ValueRange args) {
      Value t = iv;
      if (backward)
        t = e.sub(e.sub(e.index(p.steps), e.index(int64_t{1})), iv);
      Value inputs = takePart(e, sums, 0, t);
      SmallVector<Value> next = p.step(e, p, dir, inputs, args.take_front(states));
      Value output = next[0];
      if (p.lengths) {
        // Beyond a sequence's end its states stay and its outputs are 0; a
        // backward pass thereby starts at its last element.
        auto isInside = [&](Emitter &e, Value length) {
          return e.compare(Compare::Less, t, e.toIndex(length));
        };
        AffineMap same = e.identity(2), row = e.mapOf(2, {0});
        for (unsigned i = 0; i < states; ++i)
          next[i] = e.pointwise(
              {p.batch, p.hidden}, compute, {{next[i], same}, {args[i], same}, {p.lengths, row}},
              [&](Emitter &e, ValueRange v) { return e.select(isInside(e, v[2]), v[0], v[1]); });
        if (wantsAll)
          output = e.pointwise({p.batch, p.hidden}, compute, {{output, same}, {p.lengths, row}},
                               [&](Emitter &e, ValueRange v) {
                                 return e.select(isInside(e, v[1]), v[0], e.constant(compute, 0));
                               });
      }
      // States are written where they were read: loops carry buffers in place.
      for (unsigned i = 0; i < states; ++i)
        next[i] = linalg::CopyOp::create(e, ValueRange{next[i]}, ValueRange{args[i]}).getResult(0);
      if (wantsAll) {
        Value part = e.convertTensor(output, p.element);
        SmallVector<unsigned> dims{0, 1};
        SmallVector<OpFoldResult> at{t, e.attr(dir)};
        if (p.layout)
          dims = {1, 2};
        next.push_back(putPart(e, part, args[states], dims, at));
      }
      return next;
    });
    for (unsigned i = 0; i < states; ++i)
      last[i].push_back(results[i]);
    if (wantsAll)
      all = results[states];
  }
  // Last states, [directions, batch, hidden].
  SmallVector<Value> values{all};
  unsigned dirDim = p.layout ? 1 : 0;
  for (unsigned i = 0; i < (p.hasCell ? 2u : 1u); ++i) {
    Extents shape{p.batch, p.hidden};
    shape.insert(shape.begin() + dirDim, e.attr(directions));
    Value state = e.empty(shape, p.element);
    for (unsigned dir = 0; dir < directions; ++dir)
      state = putPart(e, e.convertTensor(last[i][dir], p.element), state, {dirDim},
                      {OpFoldResult(e.attr(dir))});
    values.push_back(state);
  }
  return values;
}
