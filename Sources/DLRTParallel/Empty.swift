// DLRTParallel
