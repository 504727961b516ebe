#include "oci/spec/json_reader.h"

#include <nlohmann/json.hpp>

namespace runsc::oci {

namespace {

// Keys come from the file: quoted and escaped, so that an error stays one line.
std::string quoted(std::string_view key) {
  return nlohmann::json(key).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::optional<JsonReader> JsonReader::member(std::string_view name) const {
  must_be_object();
  const auto found = value_->find(name);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  // The key inside the document lives as long as the document.
  return JsonReader(*found, this, found.key(), 0);
}

JsonReader JsonReader::required(std::string_view name) const {
  std::optional<JsonReader> found = member(name);
  if (!found) {
    const nlohmann::json nothing;
    JsonReader(nothing, this, name, 0).refuse("is required");
  }
  return *found;
}

size_t JsonReader::size() const { return value_->size(); }

JsonReader JsonReader::element(size_t index) const {
  return {(*value_)[index], this, std::string_view(), index};
}

std::vector<std::string> JsonReader::member_names() const {
  must_be_object();
  std::vector<std::string> names;
  for (const auto& item : value_->items()) names.push_back(item.key());
  return names;
}

const JsonReader& JsonReader::must_be_object() const {
  if (!value_->is_object()) refuse("must be an object");
  return *this;
}

const JsonReader& JsonReader::must_be_array() const {
  if (!value_->is_array()) refuse("must be an array");
  return *this;
}

bool JsonReader::boolean() const {
  if (!value_->is_boolean()) refuse("must be true or false");
  return value_->get<bool>();
}

std::string JsonReader::string() const {
  if (!value_->is_string()) refuse("must be a string");
  const auto& text = value_->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) refuse("must not contain a NUL character");
  return text;
}

std::string JsonReader::non_empty_string() const {
  std::string text = string();
  if (text.empty()) refuse("must not be empty");
  return text;
}

std::string JsonReader::absolute_path() const {
  std::string text = string();
  if (text.empty() || text.front() != '/') refuse("must be an absolute path");
  return text;
}

int64_t JsonReader::integer(int64_t low, int64_t high) const {
  if (!value_->is_number_integer()) refuse("must be an integer");
  const bool too_large =
      value_->is_number_unsigned() && value_->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
  if (too_large || value_->get<int64_t>() < low || value_->get<int64_t>() > high) {
    refuse("must be an integer between " + std::to_string(low) + " and " + std::to_string(high));
  }
  return value_->get<int64_t>();
}

uint64_t JsonReader::unsigned_integer(uint64_t high) const {
  if (!value_->is_number_integer()) refuse("must be an integer");
  if (!value_->is_number_unsigned() || value_->get<uint64_t>() > high) {
    refuse("must be an integer between 0 and " + std::to_string(high));
  }
  return value_->get<uint64_t>();
}

std::vector<std::string> JsonReader::string_array() const {
  std::vector<std::string> strings;
  for_each_element(*this, [&](const JsonReader& item) { strings.push_back(item.string()); });
  return strings;
}

std::string JsonReader::path() const {
  if (parent_ == nullptr) return {};
  std::string text = parent_->path();
  if (name_.data() == nullptr) return text + '[' + std::to_string(index_) + ']';
  const bool plain =
      !name_.empty() && name_.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string_view::npos;
  if (!plain) return text + '[' + quoted(name_) + ']';
  if (!text.empty()) text += '.';
  return text.append(name_);
}

void JsonReader::refuse(std::string_view reason) const {
  std::string text = path();
  if (text.empty()) text = "the document";
  throw SpecError(text.append(": ").append(reason));
}

}  // namespace runsc::oci
