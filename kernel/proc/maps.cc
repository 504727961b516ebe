// /proc/PID/maps.
#include "kernel/proc/proc.h"

namespace runsc::kernel::proc {

void show_map_line(const mm::Vma& v, TextSink& out) {
  class Counting final : public TextSink {
   public:
    explicit Counting(TextSink& to) : to_(to) {}
    void write(std::string_view s) override {
      to_.write(s);
      size += s.size();
    }
    size_t size = 0;

   private:
    TextSink& to_;
  } line(out);
  const char perms[5] = {mm::has(v.prot, mm::Prot::read) ? 'r' : '-',
                         mm::has(v.prot, mm::Prot::write) ? 'w' : '-',
                         mm::has(v.prot, mm::Prot::exec) ? 'x' : '-', v.shared ? 's' : 'p', 0};
  uint64_t dev = v.file ? v.file->device() : 0;
  format(line, "{:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} ", v.start, v.end, std::string_view(perms, 4),
         v.file ? v.offset : uint64_t{0}, dev >> 8 & 0xfff, dev & 0xff,
         v.file ? v.file->inode_number() : uint64_t{0});
  if (v.file || v.name)
    while (line.size < 73) line.write(" ");
  if (v.name)
    line.write(v.name);
  else if (v.file)
    v.file->describe(line);
  line.write("\n");
}

Result<void> show_maps(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> mm = task.mm_ref();
  if (!mm) return {};
  mm->for_each_vma(0, [&](const mm::Vma& v) {
    show_map_line(v, out);
    return true;
  });
  return {};
}

}  // namespace runsc::kernel::proc
