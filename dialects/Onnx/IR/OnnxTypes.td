//===- OnnxTypes.td - types that MLIR lacks -------------------------------===//
#ifndef DOUGONG_ONNX_TYPES
#define DOUGONG_ONNX_TYPES

include "Onnx/IR/OnnxDialect.td"

class Onnx_Type<string name, string typeMnemonic> : TypeDef<Onnx_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Onnx_StringType : Onnx_Type<"String", "string"> {
  let summary = "a string, as an element of a tensor";
  let description = [{ Example: `tensor<?x!onnx.string>`. }];
}

def Onnx_SequenceType : Onnx_Type<"Sequence", "seq"> {
  let summary = "a sequence of values of one type";
  let description = [{ Example: `!onnx.seq<tensor<*xf32>>`. }];
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Onnx_OptionalType : Onnx_Type<"Optional", "opt"> {
  let summary = "a value or nothing";
  let description = [{ Example: `!onnx.opt<tensor<2xf32>>`. }];
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Onnx_MapType : Onnx_Type<"Map", "map"> {
  let summary = "a map from integers or strings to values";
  let description = [{ Example: `!onnx.map<i64, tensor<f32>>`. }];
  let parameters = (ins "::mlir::Type":$keyType, "::mlir::Type":$valueType);
  let assemblyFormat = "`<` $keyType `,` $valueType `>`";
}

def Onnx_String : Type<CPred<"::llvm::isa<::dougong::onnx::StringType>($_self)">, "string">;
def Onnx_I4 : I<4>;
def Onnx_UI4 : UI<4>;
def Onnx_I2 : I<2>;
def Onnx_UI2 : UI<2>;
def Onnx_Complex64 : Complex<F32>;
def Onnx_Complex128 : Complex<F64>;
// As they are or, after normalize, as the element of a scalar.
def Onnx_AnySequence : Type<CPred<
    "::llvm::isa<::dougong::onnx::SequenceType>(::mlir::getElementTypeOrSelf($_self))">, "sequence">;
def Onnx_AnyOptional : Type<CPred<
    "::llvm::isa<::dougong::onnx::OptionalType>(::mlir::getElementTypeOrSelf($_self))">, "optional">;
def Onnx_AnyMap : Type<CPred<"::llvm::isa<::dougong::onnx::MapType>($_self)">, "map">;

class Onnx_TensorOf<list<Type> elements> : TensorOf<elements>;

#endif // DOUGONG_ONNX_TYPES
