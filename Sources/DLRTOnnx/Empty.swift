// DLRTOnnx
