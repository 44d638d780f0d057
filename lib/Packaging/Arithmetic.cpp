//===- Arithmetic.cpp - weight recipe steps that compute ------------------===//
#include "Copy.h"
#include "Steps.h"

#include "dougong/Runtime/Half.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir;
using namespace dougong;

namespace {

template <typename... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

/// Elements of 16-bit floats, by their bits.
struct Float16 {
  uint16_t bits;
  operator float() const { return f16ToFloat(bits); }
  static Float16 from(float value) { return {floatToF16(value)}; }
};
struct BFloat16 {
  uint16_t bits;
  operator float() const { return bf16ToFloat(bits); }
  static BFloat16 from(float value) { return {floatToBf16(value)}; }
};

/// Calls `body` with a value of the C++ type of the elements.
llvm::Error dispatch(Type type, auto &&body) {
  if (type.isF32())
    return body(float()), llvm::Error::success();
  if (type.isF64())
    return body(double()), llvm::Error::success();
  if (type.isF16())
    return body(Float16()), llvm::Error::success();
  if (type.isBF16())
    return body(BFloat16()), llvm::Error::success();
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return body(bool()), llvm::Error::success();
    case 2: // narrow ones take a byte
    case 4:
    case 8:
      return isUnsigned ? body(uint8_t()) : body(int8_t()), llvm::Error::success();
    case 16:
      return isUnsigned ? body(uint16_t()) : body(int16_t()), llvm::Error::success();
    case 32:
      return isUnsigned ? body(uint32_t()) : body(int32_t()), llvm::Error::success();
    case 64:
      return isUnsigned ? body(uint64_t()) : body(int64_t()), llvm::Error::success();
    default:
      break;
    }
  }
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return makeError("elements of type {0} cannot be computed with at packaging", name);
}

/// An element that need not be aligned.
template <typename T> T load(const char *from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// ONNX's Cast between numbers. Floating point to integer truncates; what is
/// out of range saturates, so that the result does not depend on the machine.
template <typename To, typename From> To convert(From value) {
  if constexpr (std::is_same_v<To, Float16> || std::is_same_v<To, BFloat16>) {
    return To::from(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value))
      return To(0);
    if (value >= static_cast<From>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    if (value <= static_cast<From>(std::numeric_limits<To>::lowest()))
      return std::numeric_limits<To>::lowest();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

/// The type that arithmetic of T is done in.
template <typename T> auto widen(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return static_cast<float>(value);
  else
    return value;
}

/// Computes a box element by element, dense.
class CastReader : public WeightReader {
public:
  using Convert = void (*)(const char *from, char *to, int64_t count);

  CastReader(ReaderPtr input, Type elementType, Convert convert)
      : WeightReader(elementType, input->getShape()), input(std::move(input)), convert(convert) {}

  WeightView get(const WeightBox &box) override {
    int64_t count = box.getNumElements();
    WeightView view = makeDense(input->get(box), box.sizes, input->getElementBytes(), denseInput);
    storage.resize(count * getElementBytes());
    convert(view.data, storage.data(), count);
    return {storage.data(), view.strides};
  }

private:
  ReaderPtr input;
  Convert convert;
  std::vector<char> denseInput, storage;
};

template <typename From, typename To> void convertAll(const char *from, char *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    To value = convert<To>(load<From>(from + i * static_cast<int64_t>(sizeof(From))));
    std::memcpy(to + i * static_cast<int64_t>(sizeof(To)), &value, sizeof(To));
  }
}

/// One row of a combination: strides in elements, 0 repeats an operand.
using CombineRow = void (*)(const char *left, int64_t leftStride, const char *right,
                            int64_t rightStride, char *out, int64_t count);

struct Add {
  template <typename T> static T apply(T x, T y) { return x + y; }
};
struct Sub {
  template <typename T> static T apply(T x, T y) { return x - y; }
};
struct Mul {
  template <typename T> static T apply(T x, T y) { return x * y; }
};
struct Div {
  template <typename T> static T apply(T x, T y) {
    if constexpr (std::is_integral_v<T>)
      return y == 0 ? T(0) : T(x / y);
    else
      return x / y;
  }
};

template <typename T, typename Kind>
void combineRow(const char *left, int64_t leftStride, const char *right, int64_t rightStride,
                char *out, int64_t count) {
  constexpr int64_t width = sizeof(T);
  for (int64_t i = 0; i < count; ++i) {
    auto x = widen(load<T>(left + i * leftStride * width));
    auto y = widen(load<T>(right + i * rightStride * width));
    T value = convert<T>(Kind::template apply<decltype(x)>(x, y));
    std::memcpy(out + i * width, &value, sizeof(T));
  }
}

class CombineReader : public WeightReader {
public:
  CombineReader(ReaderPtr left, ReaderPtr right, ArrayRef<int64_t> shape, CombineRow row)
      : WeightReader(left->getElementType(), shape), left(std::move(left)), right(std::move(right)),
        row(row) {}

  WeightView get(const WeightBox &box) override {
    size_t rank = box.sizes.size();
    int64_t width = getElementBytes();
    WeightView a = getBroadcast(*left, box), b = getBroadcast(*right, box);
    storage.resize(box.getNumElements() * width);
    int64_t count = rank == 0 ? 1 : box.sizes.back();
    int64_t aStep = rank == 0 ? 0 : a.strides.back(), bStep = rank == 0 ? 0 : b.strides.back();
    SmallVector<int64_t> index(rank, 0);
    char *out = storage.data(), *end = out + storage.size();
    for (; out < end; out += count * width) {
      row(a.data, aStep, b.data, bStep, out, count);
      for (size_t dim = rank; dim-- > 1;) {
        size_t d = dim - 1;
        a.data += a.strides[d] * width;
        b.data += b.strides[d] * width;
        if (++index[d] < box.sizes[d])
          break;
        a.data -= a.strides[d] * box.sizes[d] * width;
        b.data -= b.strides[d] * box.sizes[d] * width;
        index[d] = 0;
      }
    }
    return {storage.data(), getDenseStrides(box.sizes)};
  }

private:
  /// The operand as it is repeated over the box: a stride of 0 repeats a dim.
  static WeightView getBroadcast(WeightReader &input, const WeightBox &box) {
    size_t missing = box.sizes.size() - input.getShape().size();
    WeightBox source;
    for (auto [dim, extent] : llvm::enumerate(input.getShape())) {
      bool repeats = extent == 1;
      source.offsets.push_back(repeats ? 0 : box.offsets[missing + dim]);
      source.sizes.push_back(repeats ? 1 : box.sizes[missing + dim]);
    }
    WeightView view = input.get(source);
    for (auto [dim, extent] : llvm::enumerate(input.getShape()))
      if (extent == 1)
        view.strides[dim] = 0;
    view.strides.insert(view.strides.begin(), missing, 0);
    return view;
  }

  ReaderPtr left, right;
  CombineRow row;
  std::vector<char> storage;
};

} // namespace

ExpectedReader dougong::castWeight(ReaderPtr input, Type elementType) {
  if (elementType.isInteger(2) || elementType.isInteger(4))
    return makeError("casts of weights to integers of {0} bits are not supported",
                     elementType.getIntOrFloatBitWidth());
  CastReader::Convert convert = nullptr;
  llvm::Error inner = llvm::Error::success();
  llvm::Error outer = dispatch(input->getElementType(), [&](auto from) {
    llvm::cantFail(std::move(inner));
    inner =
        dispatch(elementType, [&](auto to) { convert = convertAll<decltype(from), decltype(to)>; });
  });
  if (llvm::Error error = llvm::joinErrors(std::move(outer), std::move(inner)))
    return error;
  return std::make_unique<CastReader>(std::move(input), elementType, convert);
}

ExpectedReader dougong::combineWeights(StringRef kind, ReaderPtr left, ReaderPtr right) {
  if (left->getElementType() != right->getElementType())
    return makeError("operands of '{0}' have different element types", kind);
  if (kind == "concat")
    return joinWeights(std::move(left), std::move(right));
  size_t rank = std::max(left->getShape().size(), right->getShape().size());
  SmallVector<int64_t> shape(rank);
  for (size_t i = 0; i < rank; ++i) {
    auto extentOf = [&](const WeightReader &input) {
      size_t own = input.getShape().size();
      return i < own ? input.getShape()[own - 1 - i] : int64_t(1);
    };
    int64_t a = extentOf(*left), b = extentOf(*right);
    if (a != b && a != 1 && b != 1)
      return makeError("extents {0} and {1} do not broadcast", a, b);
    shape[rank - 1 - i] = a == 1 ? b : a;
  }
  CombineRow row = nullptr;
  llvm::Error error = dispatch(left->getElementType(), [&](auto element) {
    using T = decltype(element);
    row = llvm::StringSwitch<CombineRow>(kind)
              .Case("add", combineRow<T, Add>)
              .Case("sub", combineRow<T, Sub>)
              .Case("mul", combineRow<T, Mul>)
              .Case("div", combineRow<T, Div>)
              .Default(nullptr);
  });
  if (error)
    return error;
  if (!row)
    return makeError("unknown arithmetic '{0}': expected add, sub, mul, div or concat", kind);
  return std::make_unique<CombineReader>(std::move(left), std::move(right), shape, row);
}
