// DLRT
