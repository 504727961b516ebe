// Host only. A small assembler for the classic BPF programs that seccomp(2) takes: loads of one word of
// seccomp_data, comparisons with forward jumps to labels, returns.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace runsc::oci {

class BpfAssembler {
 public:
  struct Label {
    size_t id;
  };

  Label new_label();
  // The next instruction is where jumps to `label` go. Once per label, after every jump to it: classic BPF
  // only jumps forward.
  void bind(Label label);

  void load_architecture();
  void load_number();
  // Half of argument `index`: the kernel's 64-bit registers are seen as two words.
  void load_argument_low(unsigned index);
  void load_argument_high(unsigned index);
  void and_with(uint32_t mask);
  void jump_if_equal(uint32_t value, Label target);
  void jump_if_not_equal(uint32_t value, Label target);
  void give_back(uint32_t action);

  // The program, or nothing if a jump is out of reach (255 instructions), a label unbound, or the program
  // longer than the kernel takes.
  std::optional<std::vector<sock_filter>> finish();

 private:
  struct Jump {
    size_t at;
    size_t label;
    bool when_equal;
  };

  void emit(uint16_t code, uint32_t k);
  void compare(uint32_t value, Label target, bool when_equal);

  std::vector<sock_filter> program_;
  std::vector<Jump> jumps_;
  std::vector<std::optional<size_t>> labels_;
};

}  // namespace runsc::oci
