// DLRTCompiler
