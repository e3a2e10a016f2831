#include "CFileFormats.h"
