#pragma once

#include <stddef.h>

/// Moves the pages behind `count` private bytes at `from` to `to`, whose own are given up; both are whole pages in
/// mappings of the caller's and stay mapped. What then lies at `from` is zeros that take no memory yet.
///
/// Returns 0 where the system does not do this; then the bytes at `to` are lost or not.
int dlk_move_pages(void *from, void *to, size_t count);
