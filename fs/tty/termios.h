// termios(3) as the kernel's TCGETS/TCSETS carry it (asm-generic/termbits.h).
#pragma once

#include <cstdint>

namespace runsc::fs {

namespace tio {
// c_iflag
inline constexpr uint32_t ignbrk = 01, brkint = 02, ignpar = 04, parmrk = 010, inpck = 020, istrip = 040,
                          inlcr = 0100, igncr = 0200, icrnl = 0400, iuclc = 01000, ixon = 02000,
                          ixany = 04000, ixoff = 010000, imaxbel = 020000, iutf8 = 040000;
// c_oflag
inline constexpr uint32_t opost = 01, olcuc = 02, onlcr = 04, ocrnl = 010, onocr = 020, onlret = 040,
                          tabdly = 014000, xtabs = 014000;
// c_lflag
inline constexpr uint32_t isig = 01, icanon = 02, echo = 010, echoe = 020, echok = 040, echonl = 0100,
                          noflsh = 0200, tostop = 0400, echoctl = 01000, echoprt = 02000, echoke = 04000,
                          iexten = 0100000;
// c_cc
inline constexpr unsigned vintr = 0, vquit = 1, verase = 2, vkill = 3, veof = 4, vtime = 5, vmin = 6,
                          vswtc = 7, vstart = 8, vstop = 9, vsusp = 10, veol = 11, vreprint = 12,
                          vdiscard = 13, vwerase = 14, vlnext = 15, veol2 = 16;
inline constexpr uint8_t disabled = 0;
}  // namespace tio

struct Termios {
  uint32_t iflag = tio::icrnl | tio::ixon;
  uint32_t oflag = tio::opost | tio::onlcr;
  uint32_t cflag = 0xbf;  // B38400 CS8 CREAD
  uint32_t lflag = tio::isig | tio::icanon | tio::echo | tio::echoe | tio::echok | tio::echoctl |
                   tio::echoke | tio::iexten;
  uint8_t line = 0;
  uint8_t cc[19] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
};
static_assert(sizeof(Termios) == 36);

struct WindowSize {
  uint16_t rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
};

}  // namespace runsc::fs
