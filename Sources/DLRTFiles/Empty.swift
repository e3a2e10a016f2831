// DLRTFiles
