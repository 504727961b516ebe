// Host only. Command line flags as Go's flag package reads them, which is what users of runsc type: "--name
// value",
// "--name=value", one dash or two; a boolean takes its value only after "=". Flags end at the first argument
// that is none, or after "--".
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci/host/error.h"

namespace runsc::oci {

class FlagSet {
 public:
  using Set = std::function<Expected<void>(std::string_view value)>;

  // `help` is one line, shown by usage().
  FlagSet& boolean(std::string_view name, bool& target, std::string_view help);
  FlagSet& text(std::string_view name, std::string& target, std::string_view help);
  FlagSet& custom(std::string_view name, std::string_view value_name, Set set, std::string_view help);
  // Another spelling of the flag added last.
  FlagSet& alias(std::string_view name);

  // Applies the flags at the front of `args`; returns what follows them.
  Expected<std::vector<std::string>> parse(std::span<const std::string> args) const;
  std::string usage() const;

 private:
  struct Flag {
    std::vector<std::string> names;
    std::string value_name;  // empty: a boolean
    Set set;
    std::string help;
  };

  const Flag* find(std::string_view name) const;

  std::vector<Flag> flags_;
};

// "true", "false" and the other spellings of Go's strconv.ParseBool.
Expected<bool> parse_boolean(std::string_view text);
Expected<uint64_t> parse_number(std::string_view text, uint64_t low, uint64_t high);

}  // namespace runsc::oci
