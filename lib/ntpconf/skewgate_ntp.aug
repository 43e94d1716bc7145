(* SPDX-License-Identifier: MIT *)
(*
Module: Skewgate_Ntp
  ntp.conf, as far as skewgate must understand it, and not further: the
  grammar is total, so that no text is beyond it.

  A line is a numbered node. Below it are its words, as ntpd's own scanner
  splits them, the comment, and the carriage return of a DOS line. What the
  words mean is not judged here.

  Words end at blanks; a double quote begins a string that ends at the next
  one, or with the line; a number sign outside a string begins a comment.
*)
module Skewgate_Ntp =

let blank    = del /[ \t\r\v\f]+/ " "
let word     = [ label "word" . store /([^ \t\r\v\f\n#"]|"[^"\n]*")+/ ]
let unclosed = [ label "unclosed"
               . store /([^ \t\r\v\f\n#"]|"[^"\n]*")*"[^"\n]*/ ]

let words = word . ( blank . word )*

(* Carriage returns before the newline are the line's ending, not blanks. *)
let margin  = del /[ \t\r\v\f]*/ ""
let tail    = del /([ \t\r\v\f]*[ \t\v\f])?/ ""
let comment = [ label "comment" . store /#([^\n]*[^\r\n])?/ ]
let cr      = [ label "cr" . store /\r+/ ]

(* One union for all kinds of lines: each more level of lenses is a further
   regular expression to compile, and to match every line with. *)
let line = [ seq "line"
           . ( tail . cr?
             | margin . comment . cr?
             | margin . words
                 . ( ( margin . comment | tail ) . cr? | blank . unclosed )
             | margin . unclosed )
           . del "\n" "\n" ]

let lns = line*
