//===- Arithmetic.cpp - weight recipe steps that compute ------------------===//
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
  if (type.isF32()) return body(float()), llvm::Error::success();
  if (type.isF64()) return body(double()), llvm::Error::success();
  if (type.isF16()) return body(Float16()), llvm::Error::success();
  if (type.isBF16()) return body(BFloat16()), llvm::Error::success();
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1: return body(bool()), llvm::Error::success();
    case 8: return isUnsigned ? body(uint8_t()) : body(int8_t()), llvm::Error::success();
    case 16: return isUnsigned ? body(uint16_t()) : body(int16_t()), llvm::Error::success();
    case 32: return isUnsigned ? body(uint32_t()) : body(int32_t()), llvm::Error::success();
    case 64: return isUnsigned ? body(uint64_t()) : body(int64_t()), llvm::Error::success();
    default: break;
    }
  }
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return makeError("elements of type {0} cannot be computed with at packaging", name);
}

template <typename T> T load(ArrayRef<char> bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
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

} // namespace

llvm::Expected<WeightData> dougong::castWeight(const WeightData &input, Type elementType) {
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(elementType, input.shape, bytes);
  int64_t count = input.bytes.size() / getWeightElementBytes(input.elementType);
  llvm::Error inner = llvm::Error::success();
  llvm::Error outer = dispatch(input.elementType, [&](auto from) {
    using From = decltype(from);
    llvm::cantFail(std::move(inner));
    inner = dispatch(elementType, [&](auto to) {
      using To = decltype(to);
      for (int64_t i = 0; i < count; ++i) {
        To value = convert<To>(load<From>(input.bytes, i));
        std::memcpy(bytes.data() + i * static_cast<int64_t>(sizeof(To)), &value, sizeof(To));
      }
    });
  });
  if (llvm::Error error = llvm::joinErrors(std::move(outer), std::move(inner)))
    return error;
  return result;
}

llvm::Expected<WeightData> dougong::combineWeights(StringRef kind, const WeightData &left,
                                                   const WeightData &right) {
  if (left.elementType != right.elementType)
    return makeError("operands of '{0}' have different element types", kind);
  if (kind != "add" && kind != "sub" && kind != "mul" && kind != "div")
    return makeError("unknown arithmetic '{0}': expected add, sub, mul or div", kind);
  // NumPy broadcasting: a stride of 0 repeats a dim.
  size_t rank = std::max(left.shape.size(), right.shape.size());
  SmallVector<int64_t> shape(rank), leftStrides(rank, 0), rightStrides(rank, 0);
  int64_t leftStride = 1, rightStride = 1;
  for (size_t i = 0; i < rank; ++i) {
    auto extentOf = [&](const WeightData &data) {
      return i < data.shape.size() ? data.shape[data.shape.size() - 1 - i] : int64_t(1);
    };
    int64_t a = extentOf(left), b = extentOf(right);
    if (a != b && a != 1 && b != 1)
      return makeError("extents {0} and {1} do not broadcast", a, b);
    size_t dim = rank - 1 - i;
    shape[dim] = std::max(a, b);
    leftStrides[dim] = a == 1 ? 0 : leftStride;
    rightStrides[dim] = b == 1 ? 0 : rightStride;
    leftStride *= a;
    rightStride *= b;
  }
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(left.elementType, shape, bytes);
  llvm::Error error = dispatch(left.elementType, [&](auto element) {
    using T = decltype(element);
    SmallVector<int64_t> index(rank, 0);
    int64_t a = 0, b = 0, count = bytes.size() / sizeof(T);
    for (int64_t i = 0; i < count; ++i) {
      auto x = widen(load<T>(left.bytes, a)), y = widen(load<T>(right.bytes, b));
      decltype(x) value = x;
      if (kind == "add")
        value = x + y;
      else if (kind == "sub")
        value = x - y;
      else if (kind == "mul")
        value = x * y;
      else if constexpr (std::is_integral_v<decltype(x)>)
        value = y == 0 ? decltype(x)(0) : decltype(x)(x / y);
      else
        value = x / y;
      T stored = convert<T>(value);
      std::memcpy(bytes.data() + i * static_cast<int64_t>(sizeof(T)), &stored, sizeof(T));
      for (int64_t dim = static_cast<int64_t>(rank) - 1; dim >= 0; --dim) {
        a += leftStrides[dim];
        b += rightStrides[dim];
        if (++index[dim] < shape[dim])
          break;
        a -= leftStrides[dim] * shape[dim];
        b -= rightStrides[dim] * shape[dim];
        index[dim] = 0;
      }
    }
  });
  if (error)
    return error;
  return result;
}
