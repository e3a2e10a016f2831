// DLRTOperators
