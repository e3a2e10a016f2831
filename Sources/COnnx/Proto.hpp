/// The generated classes.
#pragma once

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include "onnx/onnx-data_pb.h"
