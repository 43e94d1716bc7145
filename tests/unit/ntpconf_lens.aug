(* SPDX-License-Identifier: MIT *)
(* The lens: what a line becomes, and that it can be written. *)
module Ntpconf_Lens =

let lns = Skewgate_Ntp.lns

test lns get "\n" = { "1" }
test lns get "tos minclock 4 minsane 3\n" =
  { "1" { "word" = "tos" } { "word" = "minclock" } { "word" = "4" }
        { "word" = "minsane" } { "word" = "3" } }
test lns get "  server\t-4  time.example iburst # why\n" =
  { "1" { "word" = "server" } { "word" = "-4" } { "word" = "time.example" }
        { "word" = "iburst" } { "comment" = "# why" } }
test lns get "server 192.0.2.1 iburst\r\n#x\r\n\r\n" =
  { "1" { "word" = "server" } { "word" = "192.0.2.1" } { "word" = "iburst" }
        { "cr" = "\r" } }
  { "2" { "comment" = "#x" } { "cr" = "\r" } }
  { "3" { "cr" = "\r" } }

(* A number sign ends a word; inside quotes it is text. *)
test lns get "server 192.0.2.1#x\nkeys \"/a #b\" c\n" =
  { "1" { "word" = "server" } { "word" = "192.0.2.1" } { "comment" = "#x" } }
  { "2" { "word" = "keys" } { "word" = "\"/a #b\"" } { "word" = "c" } }

(* A string ends with the line, if not before. *)
test lns get "logfile \"/var/log/n #1\nx\n" =
  { "1" { "word" = "logfile" } { "unclosed" = "\"/var/log/n #1" } }
  { "2" { "word" = "x" } }
test lns get "\"\n" = { "1" { "unclosed" = "\"" } }

(* What the stock lens cannot read. *)
test lns get "server 192.0.2.1 nts maxpoll 9\nmru maxdepth 10 maxage 3\nlogconfig =syncstatus +sysevents\nsetvar a = \"b\" default\n" = ?
test lns get "rlimit memlock -1;; {}[]()\\ ' $x `y` \001\n" = ?

(* Carriage returns that end nothing are blanks. *)
test lns get "\r#\n x\r\v#\n" =
  { "1" { "comment" = "#" } }
  { "2" { "word" = "x" } { "comment" = "#" } }

(* What the block is made of. *)
test lns put "" after
  set "/1/comment" "# BEGIN skewgate";
  set "/2/word[1]" "server"; set "/2/word[2]" "192.0.2.1";
  set "/3/word[1]" "tos"; set "/3/word[2]" "minsane"; set "/3/word[3]" "1";
  set "/3/cr" "\r"
  = "# BEGIN skewgate\nserver 192.0.2.1\ntos minsane 1\r\n"

(* Nothing that could be a second line, or another word, can be written. *)
test lns put "" after set "/1/word[1]" "a\nb" = *
test lns put "" after set "/1/word[1]" "a b" = *
test lns put "" after set "/1/comment" "x" = *
