// DLRTKernels
