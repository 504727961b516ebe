// The initial stack of a program, as the x86-64 psABI and ld.so(8) want it.
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/abi/elf.h"
#include "kernel/loader/cpuid.h"
#include "kernel/loader/loader.h"
#include "kernel/random.h"
#include "kernel/rseq.h"
#include "kernel/signal/frame.h"
#include "kernel/thread_group.h"
#include "mm/phys.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

namespace {

// Writes downwards from the top.
class StackWriter {
 public:
  StackWriter(Task& task, uint64_t top, uint64_t lowest) : task_(task), at_(top), lowest_(lowest) {}
  Result<uint64_t> push(const void* bytes, size_t size, size_t align = 1) {
    if (size > at_ - lowest_) return Errno::toobig;
    at_ = (at_ - size) & ~uint64_t{align - 1};
    TRY(mm::copy_out_bytes(task_.mm(), at_, bytes, size));
    return at_;
  }
  Result<uint64_t> push_string(std::string_view s) {
    if (s.size() + 1 > at_ - lowest_) return Errno::toobig;
    at_ -= s.size() + 1;
    const char nul = 0;
    TRY(mm::copy_out_bytes(task_.mm(), at_, s.data(), s.size()));
    TRY(mm::copy_out_bytes(task_.mm(), at_ + s.size(), &nul, 1));
    return at_;
  }
  uint64_t at() const { return at_; }

 private:
  Task& task_;
  uint64_t at_, lowest_;
};

// Strings lie in order, first lowest; addresses are collected.
Result<void> push_strings(StackWriter& w, const Vec<String>& list, Vec<uint64_t>& addresses) {
  TRY(addresses.resize(list.size()));
  for (size_t i = list.size(); i-- > 0;) addresses[i] = TRY(w.push_string(list[i].view()));
  return {};
}

struct AuxList {
  Vec<uint64_t> words;
  Result<void> add(uint64_t key, uint64_t value) {
    TRY(words.push_back(key));
    return words.push_back(value);
  }
};

struct Places {
  uint64_t platform, random, path;
};

Result<AuxList> make_auxv(Task& task, const LoadedProgram& p, const Places& at, bool secure) {
  const fs::Credentials& c = task.creds();
  AuxList a;
  if (p.vdso) TRY(a.add(auxv::sysinfo_ehdr, p.vdso));
  TRY(a.add(auxv::minsigstksz, sizeof(RtSigFrame) + arch::boot_info().xsave_size + 4 + 64 + 16));
  TRY(a.add(auxv::hwcap, cpuid_1_edx()));
  TRY(a.add(auxv::pagesz, mm::kPageSize));
  TRY(a.add(auxv::clktck, 100));
  TRY(a.add(auxv::phdr, p.phdr));
  TRY(a.add(auxv::phent, p.phent));
  TRY(a.add(auxv::phnum, p.phnum));
  TRY(a.add(auxv::base, p.base));
  TRY(a.add(auxv::flags, 0));
  TRY(a.add(auxv::entry, p.program_entry));
  TRY(a.add(auxv::uid, fs::shown_uid(c, c.uid)));
  TRY(a.add(auxv::euid, fs::shown_uid(c, c.euid)));
  TRY(a.add(auxv::gid, fs::shown_gid(c, c.gid)));
  TRY(a.add(auxv::egid, fs::shown_gid(c, c.egid)));
  TRY(a.add(auxv::secure, secure));
  TRY(a.add(auxv::random, at.random));
  TRY(a.add(auxv::hwcap2, fsgsbase_usable() ? 2 : 0));
  TRY(a.add(auxv::rseq_feature_size, kRseqFeatureSize));
  TRY(a.add(auxv::rseq_align, kRseqAlign));
  TRY(a.add(auxv::execfn, at.path));
  TRY(a.add(auxv::platform, at.platform));
  TRY(a.add(auxv::null, 0));
  return a;
}

Result<void> append(Vec<uint64_t>& words, const Vec<uint64_t>& more) {
  TRY(words.reserve(words.size() + more.size() + 1));
  for (uint64_t w : more) TRY(words.push_back(w));
  return {};
}

}  // namespace

Result<uint64_t> build_stack(Task& task, LoadedProgram& p, const Arguments& args, bool secure) {
  for (const LoadedProgram::Zero& z : p.zeros) TRY(mm::zero_out(task.mm(), z.address, z.size));
  constexpr uint64_t kMost = 8 << 20;
  StackWriter w(task, p.stack_top - 8, p.stack_top - kMost);
  uint64_t zero = 0;
  TRY(mm::copy_out_bytes(task.mm(), p.stack_top - 8, &zero, sizeof zero));
  Places places{};
  places.path = TRY(w.push_string(p.path.view()));
  Vec<uint64_t> argv, envp;
  p.layout.env_end = w.at();
  TRY(push_strings(w, args.env(), envp));
  p.layout.env_start = p.layout.arg_end = w.at();
  TRY(push_strings(w, args.args(), argv));
  p.layout.arg_start = w.at();
  places.platform = TRY(w.push_string("x86_64"));
  std::byte random[16];
  random_bytes(random);
  places.random = TRY(w.push(random, sizeof random, 16));

  AuxList aux = TRY(make_auxv(task, p, places, secure));
  Vec<uint64_t> words;
  TRY(words.push_back(argv.size()));
  TRY(append(words, argv));
  TRY(words.push_back(0));
  TRY(append(words, envp));
  TRY(words.push_back(0));
  TRY(append(words, aux.words));
  // The stack pointer, at argc, is a multiple of 16.
  uint64_t sp = TRY(w.push(words.data(), words.size() * sizeof(uint64_t), 16));
  p.layout.start_stack = sp;
  uint64_t auxv_end = sp + words.size() * sizeof(uint64_t);
  task.group().auxv_start.store(auxv_end - aux.words.size() * sizeof(uint64_t));
  task.group().auxv_end.store(auxv_end);
  task.mm().set_layout(p.layout);
  task.mm().set_brk_start(p.layout.start_brk);
  return sp;
}

}  // namespace runsc::kernel
