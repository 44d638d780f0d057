//===- Window.cpp - windows that slide over spatial dims ------------------===//
#include "Window.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

Window::Window(Emitter &e, ArrayRef<OpFoldResult> input, ArrayRef<OpFoldResult> output,
               const WindowAttributes &attributes)
    : strides(attributes.kernel.size(), 1), dilations(attributes.kernel.size(), 1),
      kernel(attributes.kernel), channelsLast(attributes.channelsLast), e(e) {
  if (attributes.strides)
    strides.assign(attributes.strides->begin(), attributes.strides->end());
  if (attributes.dilations)
    dilations.assign(attributes.dilations->begin(), attributes.dilations->end());
  for (unsigned dim = 0; dim < rank(); ++dim) {
    inputSizes.push_back(input[dim + firstSpatial()]);
    outputSizes.push_back(output[dim + firstSpatial()]);
    OpFoldResult size = inputSizes[dim];
    // Input elements under the windows of the whole row of outputs.
    OpFoldResult last = e.mulSizes(e.subSizes(outputSizes[dim], e.attr(1)), e.attr(strides[dim]));
    OpFoldResult reached = e.mulSizes(e.subSizes(kernel[dim], e.attr(1)), e.attr(dilations[dim]));
    OpFoldResult span = e.addSizes(last, e.addSizes(reached, e.attr(1)));
    OpFoldResult before = e.attr(0), after = e.attr(0);
    if (attributes.autoPad.starts_with("SAME")) {
      OpFoldResult total = e.maxSizes(e.subSizes(span, size), e.attr(0));
      OpFoldResult half = e.floorDivSizes(total, e.attr(2));
      OpFoldResult rest = e.subSizes(total, half);
      bool upper = attributes.autoPad == "SAME_UPPER";
      before = upper ? half : rest;
      after = upper ? rest : half;
    } else if (attributes.pads && attributes.autoPad != "VALID") {
      before = e.attr((*attributes.pads)[dim]);
      after = e.attr((*attributes.pads)[dim + rank()]);
    }
    low.push_back(before);
    high.push_back(after);
    // Rounding up (ceil_mode) lets the last window reach beyond the pads;
    // rounding down may leave pads that no window sees.
    OpFoldResult needed = e.subSizes(span, e.addSizes(size, before));
    auto constant = getConstantIntValue(needed);
    bool exact = getConstantIntValue(size) && constant;
    reach.push_back(exact ? OpFoldResult(e.attr(std::max<int64_t>(*constant, 0)))
                    : isConstantIntValue(after, 0) && isConstantIntValue(before, 0) &&
                            !attributes.ceilMode && !attributes.autoPad.starts_with("SAME")
                        ? OpFoldResult(e.attr(0))
                        : e.maxSizes(needed, e.attr(0)));
    inside &= isConstantIntValue(low[dim], 0) && isConstantIntValue(reach[dim], 0);
  }
}

std::optional<int64_t> Window::size() const { return getConstantIntValue(e.productOf(kernel)); }

Value Window::pad(Value input, Value value) {
  if (inside)
    return input;
  Extents sizes = e.extentsOf(input), padded = sizes, place(sizes.size(), e.attr(0)),
          steps(sizes.size(), e.attr(1));
  for (unsigned i = 0; i < rank(); ++i) {
    unsigned dim = firstSpatial() + i;
    padded[dim] = e.addSizes(low[i], e.addSizes(sizes[dim], reach[i]));
    place[dim] = low[i];
  }
  // Only what the input does not cover is filled: slabs before and after it in
  // each dim, of the whole width in the dims that come later.
  Value result = e.empty(padded, typeOf(input).getElementType());
  Extents offsets(sizes.size(), e.attr(0)), slab = padded;
  auto fill = [&](unsigned dim, OpFoldResult from, OpFoldResult extent) {
    if (isConstantIntValue(extent, 0))
      return;
    Extents at = offsets, size = slab;
    at[dim] = from;
    size[dim] = extent;
    Value part = tensor::ExtractSliceOp::create(e, result, at, size, steps);
    part = linalg::FillOp::create(e, value, part).getResult(0);
    result = tensor::InsertSliceOp::create(e, part, result, at, size, steps);
  };
  for (unsigned i = 0; i < rank(); ++i) {
    unsigned dim = firstSpatial() + i;
    fill(dim, e.attr(0), low[i]);
    fill(dim, e.addSizes(low[i], sizes[dim]), reach[i]);
    offsets[dim] = low[i];
    slab[dim] = sizes[dim];
  }
  return tensor::InsertSliceOp::create(e, input, result, place, sizes, steps);
}

AffineExpr Window::access(unsigned dim, unsigned outLoop, unsigned windowLoop) {
  return e.loop(outLoop) * strides[dim] + e.loop(windowLoop) * dilations[dim];
}

Value Window::countInside(Emitter &inner, ArrayRef<Value> place, bool includePads) {
  Value count;
  Value none = inner.index(int64_t{0}), one = inner.index(int64_t{1});
  for (unsigned dim = 0; dim < rank(); ++dim) {
    // Places are counted from the start of the low pad, so none is negative.
    OpFoldResult first = includePads ? OpFoldResult(e.attr(0)) : low[dim];
    Value begin = inner.index(first);
    Value end = inner.add(inner.index(low[dim]), inner.index(inputSizes[dim]));
    if (includePads)
      end = inner.add(end, inner.index(high[dim]));
    Value start = inner.mul(place[dim], inner.index(strides[dim]));
    Value dilation = inner.index(dilations[dim]);
    auto steps = [&](Value border) { // ceil(max(border - start, 0) / dilation)
      Value distance = inner.max(inner.sub(border, start), none);
      Value up = inner.add(distance, inner.sub(dilation, one));
      return arith::DivUIOp::create(inner, up, dilation).getResult();
    };
    Value extent = inner.index(kernel[dim]);
    Value here = inner.sub(inner.min(steps(end), extent), inner.min(steps(begin), extent));
    count = count ? inner.mul(count, here) : here;
  }
  return count;
}
