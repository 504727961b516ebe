// Host only. A JSON value together with the way that leads to it, so that every complaint names the field:
// "process.args[0]: must be a string".
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace runsc::oci {

// Thrown inside this folder only; the parsers of spec/parse.h turn it into an Error.
class SpecError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Borrows the document and the reader of the value around it: both must outlive it.
class JsonReader {
 public:
  explicit JsonReader(const nlohmann::json& document) : value_(&document) {}

  // A member of an object. A member that is absent or null is not there: Go, which writes most of these
  // files, writes null for an empty slice or pointer.
  std::optional<JsonReader> member(std::string_view name) const;
  JsonReader required(std::string_view name) const;
  size_t size() const;  // of an array
  JsonReader element(size_t index) const;
  std::vector<std::string> member_names() const;

  const JsonReader& must_be_object() const;
  const JsonReader& must_be_array() const;
  bool boolean() const;
  // Refuses a NUL inside: no path, argument or name of Linux can hold one.
  std::string string() const;
  std::string non_empty_string() const;
  std::string absolute_path() const;
  int64_t integer(int64_t low, int64_t high) const;
  uint64_t unsigned_integer(uint64_t high) const;
  uint32_t u32() const {
    return static_cast<uint32_t>(unsigned_integer(std::numeric_limits<uint32_t>::max()));
  }
  uint64_t u64() const { return unsigned_integer(std::numeric_limits<uint64_t>::max()); }
  int64_t i64() const {
    return integer(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  }
  std::vector<std::string> string_array() const;

  const nlohmann::json& json() const { return *value_; }
  std::string path() const;
  [[noreturn]] void refuse(std::string_view reason) const;

 private:
  JsonReader(const nlohmann::json& value, const JsonReader* parent, std::string_view name, size_t index)
      : value_(&value), parent_(parent), name_(name), index_(index) {}

  const nlohmann::json* value_;
  const JsonReader* parent_ = nullptr;
  std::string_view name_;  // empty data(): an element of an array
  size_t index_ = 0;
};

// Calls visit(reader) for each element of an array.
template <typename Visit>
void for_each_element(const JsonReader& array, Visit visit) {
  const size_t count = array.must_be_array().size();
  for (size_t i = 0; i < count; ++i) visit(array.element(i));
}

}  // namespace runsc::oci
