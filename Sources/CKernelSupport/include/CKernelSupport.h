/// What the kernels and their callers share: instruction shims, the CPU probe, waiting primitives, argument structs
/// and the table of kernel entries. One header per topic.
#pragma once

#include "dlk_affinity.h"
#include "dlk_bytes.h"
#include "dlk_cpu.h"
#include "dlk_futex.h"
#include "dlk_memory.h"
#include "dlk_simd.h"
#include "dlk_table.h"
#include "dlk_terms.h"
