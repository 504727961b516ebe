// Pieces of lines in /proc/net.
#pragma once

#include "kernel/base/format.h"

namespace runsc::net {

// A line of fixed width, as some of these files have.
class Padded final : public TextSink {
 public:
  void write(std::string_view s) override {
    for (char c : s)
      if (used_ < sizeof text_) text_[used_++] = c;
  }
  void end(TextSink& out) {
    while (used_ < kWidth) text_[used_++] = ' ';
    out.write({text_, used_});
    out.write("\n");
    used_ = 0;
  }

 private:
  static constexpr size_t kWidth = 127;
  char text_[256];
  size_t used_ = 0;
};

inline void hex_upper(TextSink& out, uint32_t value, unsigned digits) {
  char text[8];
  for (unsigned i = 0; i < digits; ++i) text[i] = "0123456789ABCDEF"[value >> (4 * (digits - 1 - i)) & 15];
  out.write({text, digits});
}

}  // namespace runsc::net
