#include "oci/cmd/flag_set.h"

#include <algorithm>
#include <charconv>

namespace runsc::oci {

FlagSet& FlagSet::custom(std::string_view name, std::string_view value_name, Set set, std::string_view help) {
  flags_.push_back({{std::string(name)}, std::string(value_name), std::move(set), std::string(help)});
  return *this;
}

FlagSet& FlagSet::boolean(std::string_view name, bool& target, std::string_view help) {
  const auto set = [&target](std::string_view value) -> Expected<void> {
    target = OCI_TRY(parse_boolean(value));
    return {};
  };
  return custom(name, "", set, help);
}

FlagSet& FlagSet::text(std::string_view name, std::string& target, std::string_view help) {
  const auto set = [&target](std::string_view value) -> Expected<void> {
    target = value;
    return {};
  };
  return custom(name, "VALUE", set, help);
}

FlagSet& FlagSet::alias(std::string_view name) {
  flags_.back().names.emplace_back(name);
  return *this;
}

const FlagSet::Flag* FlagSet::find(std::string_view name) const {
  for (const Flag& flag : flags_) {
    if (std::find(flag.names.begin(), flag.names.end(), name) != flag.names.end()) return &flag;
  }
  return nullptr;
}

Expected<std::vector<std::string>> FlagSet::parse(std::span<const std::string> args) const {
  size_t at = 0;
  for (; at < args.size(); ++at) {
    const std::string& arg = args[at];
    if (arg.size() < 2 || arg[0] != '-') break;
    if (arg == "--") {
      ++at;
      break;
    }
    std::string_view name = arg;
    name.remove_prefix(arg[1] == '-' ? 2 : 1);
    const size_t equals = name.find('=');
    const bool has_value = equals != std::string_view::npos;
    std::string_view value = has_value ? name.substr(equals + 1) : std::string_view();
    name = name.substr(0, equals);
    const Flag* flag = find(name);
    if (flag == nullptr) return fail("unknown flag " + arg.substr(0, arg.find('=')));
    if (!has_value && flag->value_name.empty()) {
      value = "true";
    } else if (!has_value) {
      if (++at == args.size()) return fail("flag --" + std::string(name) + " needs a value");
      value = args[at];
    }
    if (Expected<void> result = flag->set(value); !result) {
      return fail("flag --" + std::string(name) + ": " + result.error().text);
    }
  }
  return std::vector<std::string>(args.begin() + static_cast<ptrdiff_t>(at), args.end());
}

std::string FlagSet::usage() const {
  constexpr size_t kColumn = 28;
  std::string text;
  for (const Flag& flag : flags_) {
    std::string row = "  ";
    for (const std::string& name : flag.names) {
      if (row.size() > 2) row += ", ";
      row.append(name.size() == 1 ? "-" : "--").append(name);
    }
    if (!flag.value_name.empty()) row.append(" ").append(flag.value_name);
    row.append(row.size() < kColumn ? kColumn - row.size() : 1, ' ');
    text.append(row).append(flag.help).append("\n");
  }
  return text;
}

Expected<bool> parse_boolean(std::string_view text) {
  for (const std::string_view yes : {"true", "1", "t", "T", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "f", "F", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return fail("must be true or false, not \"" + std::string(text) + "\"");
}

Expected<uint64_t> parse_number(std::string_view text, uint64_t low, uint64_t high) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < low || number > high) {
    return fail("must be a number between " + std::to_string(low) + " and " + std::to_string(high) +
                ", not \"" + std::string(text) + "\"");
  }
  return number;
}

}  // namespace runsc::oci
