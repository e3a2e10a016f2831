J<ƒ@C·3åBâÚC0ýCÏ7¯BR8*CVŽ
C	Ì!Cyé2C˜®ÊB™BopBæ£BÊCÅ ¡B