/// Protobuf's wire format, as far as payloads must be told from the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "COnnx.h"

namespace connx {

/// Leaves this library as a `COnnxError`.
struct Failure {
  COnnxCode code;
  std::string text;
};

/// What a field holds. Fields that nobody reads are `none` and never reach the generated classes.
enum class Kind : uint8_t {
  none,
  leaf,
  payload,
  model,
  graph,
  node,
  attribute,
  tensor,
  sparse_tensor,
  function,
  value_info,
  type,
  shaped_type,
  wrapped_type,
  map_type,
  shape,
  flat,  // a message of leaves
  sequence,
  optional,
  map,
};

Kind root_kind(COnnxKind kind);

/// A message whose payloads were replaced by tokens: four bytes with an index into `payloads`. Since the bytes outside
/// are never taken for a token, a token can only come from here.
struct Skeleton {
  std::string bytes;
  std::vector<COnnxBytes> payloads;
};

/// Checks the message's structure and separates its payloads, which stay where they are.
Skeleton strip(Kind kind, COnnxBytes message);

/// Writes the message with its payloads back in place.
void splice(Kind kind, const Skeleton &skeleton, COnnxSink sink, void *context);

std::string token(size_t index);
/// The payload a token stands for; empty for anything else.
COnnxBytes payload(const std::vector<COnnxBytes> &payloads, const std::string &token);

void fill(COnnxError *error, COnnxCode code, const char *text) noexcept;

/// Runs `body`; what it throws becomes the error.
template <typename Body>
bool guarded(COnnxError *error, Body body) noexcept {
  try {
    body();
    return true;
  } catch (const Failure &failure) {
    fill(error, failure.code, failure.text.c_str());
  } catch (const std::bad_alloc &) {
    fill(error, COnnxCodeMemory, "out of memory");
  } catch (const std::exception &exception) {
    fill(error, COnnxCodeMalformed, exception.what());
  } catch (...) {
    fill(error, COnnxCodeMalformed, "unknown failure");
  }
  return false;
}

}  // namespace connx
