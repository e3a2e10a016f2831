#include <jansson.h>

#include "error.h"

/* A dlf_json is jansson's json_t, and an entry its iterator, under names that keep jansson's header out of ours. */
static json_t *in(const dlf_json *value) { return (json_t *)value; }
static dlf_json *out(const json_t *value) { return (dlf_json *)value; }

static bool is_deeper(json_t *value, size_t limit) {
  if (!json_is_array(value) && !json_is_object(value)) return false;
  if (limit == 0) return true;
  size_t index;
  const char *key;
  json_t *child;
  json_array_foreach(value, index, child) {
    if (is_deeper(child, limit - 1)) return true;
  }
  json_object_foreach(value, key, child) {
    if (is_deeper(child, limit - 1)) return true;
  }
  return false;
}

dlf_status dlf_json_parse(const uint8_t *text, size_t count, size_t max_depth, dlf_json **root, dlf_error *error) {
  *root = NULL;
  json_error_t reason;
  json_t *value = json_loadb((const char *)text, count, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &reason);
  if (!value) {
    if (json_error_code(&reason) == json_error_out_of_memory)
      return dlf_fail(error, DLF_NO_MEMORY, "JSON: no memory");
    const bool deep = json_error_code(&reason) == json_error_stack_overflow;
    return dlf_fail(error, deep ? DLF_LIMIT : DLF_MALFORMED, "JSON line %d, column %d: %s", reason.line, reason.column,
                    reason.text);
  }
  if (is_deeper(value, max_depth)) {
    json_decref(value);
    return dlf_fail(error, DLF_LIMIT, "JSON nests deeper than %zu", max_depth);
  }
  *root = out(value);
  return DLF_OK;
}

void dlf_json_release(dlf_json *root) { json_decref(in(root)); }

dlf_json_kind dlf_json_get_kind(const dlf_json *value) {
  if (!value) return DLF_JSON_NULL;
  switch (json_typeof(in(value))) {
    case JSON_OBJECT: return DLF_JSON_OBJECT;
    case JSON_ARRAY: return DLF_JSON_ARRAY;
    case JSON_STRING: return DLF_JSON_STRING;
    case JSON_INTEGER: return DLF_JSON_INTEGER;
    case JSON_REAL: return DLF_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return DLF_JSON_BOOL;
    case JSON_NULL: break;
  }
  return DLF_JSON_NULL;
}

bool dlf_json_bool(const dlf_json *value) { return json_is_true(in(value)); }
int64_t dlf_json_integer(const dlf_json *value) { return json_integer_value(in(value)); }
double dlf_json_real(const dlf_json *value) { return json_number_value(in(value)); }

const char *dlf_json_string(const dlf_json *value, size_t *length) {
  if (length) *length = json_string_length(in(value));
  return json_string_value(in(value));
}

size_t dlf_json_count(const dlf_json *value) {
  return json_is_object(in(value)) ? json_object_size(in(value)) : json_array_size(in(value));
}

const dlf_json *dlf_json_element(const dlf_json *array, size_t index) {
  return out(json_array_get(in(array), index));
}

const dlf_json *dlf_json_member(const dlf_json *object, const char *key) {
  return out(json_object_get(in(object), key));
}

const dlf_json_entry *dlf_json_next(const dlf_json *object, const dlf_json_entry *entry) {
  return entry ? json_object_iter_next(in(object), (void *)entry) : json_object_iter(in(object));
}

const char *dlf_json_entry_key(const dlf_json_entry *entry) { return json_object_iter_key((void *)entry); }

const dlf_json *dlf_json_entry_value(const dlf_json_entry *entry) {
  return out(json_object_iter_value((void *)entry));
}
