// DLRTGraph
