%% A BEAM that judges terms, driven over two pipes: it has its own things to say on the standard output.
%%
%% A request is a 4-byte length and a term in external format, {Command, Argument}; so is the answer. A binary in a
%% request holds a term's bytes, so that no term is read except where the command says so.
-module(oracle).
-export([main/1]).

main(Descriptors) ->
    [Requests, Answers] = [list_to_integer(atom_to_list(Number)) || Number <- Descriptors],
    Port = open_port({fd, Requests, Answers}, [{packet, 4}, binary, eof]),
    loop(Port).

loop(Port) ->
    receive
        {Port, {data, Request}} ->
            port_command(Port, term_to_binary(answer(binary_to_term(Request)))),
            loop(Port);
        {Port, eof} ->
            halt(0)
    end.

%% The release, as text.
answer({release, _}) ->
    list_to_binary(erlang:system_info(otp_release));
%% For each binary, the term's bytes as this BEAM writes them by default, or the atom `bad`.
answer({rewrite, {Binaries, Options}}) ->
    [rewrite(Binary, Options) || Binary <- Binaries];
%% For each binary, whether it may be read with [safe] and nothing follows the term.
answer({safe, Binaries}) ->
    [is_safe(Binary) || Binary <- Binaries];
%% For each pair of binaries, whether they are the same term.
answer({same, Pairs}) ->
    [read(Left) =:= read(Right) || {Left, Right} <- Pairs];
%% For each text, an expression of Erlang, the bytes of its value.
answer({evaluate, Texts}) ->
    [term_to_binary(evaluate(Text)) || Text <- Texts];
%% For each text of meta.return, its term's bytes, read as a node without Oban Pro reads it.
answer({recorded, Texts}) ->
    [term_to_binary(binary_to_term(base64:decode(pad(Text)), [safe])) || Text <- Texts];
%% So many random terms, as bytes written with random options.
answer({random, {Seed, Count, Atoms}}) ->
    rand:seed(exsss, Seed),
    [write(term(6, list_to_tuple(Atoms))) || _ <- lists:seq(1, Count)].

rewrite(Binary, Options) ->
    try term_to_binary(binary_to_term(Binary), Options)
    catch error:badarg -> bad
    end.

evaluate(Text) ->
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(<<Text/binary, ".">>)),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, []),
    Value.

pad(Text) ->
    <<Text/binary, (binary:copy(<<"=">>, -byte_size(Text) band 3))/binary>>.

is_safe(Binary) ->
    try binary_to_term(Binary, [safe, used]) of
        {_, Used} -> Used =:= byte_size(Binary)
    catch error:badarg -> false
    end.

%% Two unreadable terms are never the same.
read(Binary) ->
    try binary_to_term(Binary)
    catch error:badarg -> make_ref()
    end.

write(Term) ->
    Options = pick({[], [{minor_version, 1}], [{minor_version, 2}], [compressed], [{compressed, 9}], [deterministic]}),
    try term_to_binary(Term, Options)
    catch error:badarg -> term_to_binary(Term) % deterministic is newer than some releases
    end.

pick(Choices) ->
    element(rand:uniform(tuple_size(Choices)), Choices).

term(0, Atoms) ->
    leaf(rand:uniform(14), Atoms);
term(Depth, Atoms) ->
    case rand:uniform(24) of
        1 -> terms(Depth, Atoms);
        2 -> list_to_tuple(terms(Depth, Atoms));
        3 -> maps:from_list([{term(max(0, Depth - 3), Atoms), term(Depth - 1, Atoms)} || _ <- few()]);
        4 -> maps:from_list([{pick(Atoms), term(Depth - 1, Atoms)} || _ <- few()]);
        5 -> terms(Depth, Atoms) ++ pick({[], a, 1, <<"tail">>});
        6 -> [byte() || _ <- few()];
        7 -> #{'__struct__' => pick(Atoms), pick(Atoms) => term(Depth - 1, Atoms)};
        8 -> elixir(rand:uniform(7), Depth, Atoms);
        N -> leaf(N - 8, Atoms)
    end.

terms(Depth, Atoms) ->
    [term(Depth - 1, Atoms) || _ <- few()].

few() ->
    lists:seq(1, rand:uniform(6) - 1).

byte() ->
    rand:uniform(256) - 1.

leaf(1, _) -> pick({nil, true, false, undefined, ok, '', 'a b'});
leaf(2, Atoms) -> pick(Atoms);
leaf(3, _) -> byte();
leaf(4, _) -> rand:uniform(1 bsl 32) - (1 bsl 31);
leaf(5, _) -> (rand:uniform(1 bsl rand:uniform(3000)) - 1) * pick({1, -1});
leaf(6, _) -> pick({0.0, 1.0, -1.5, 1.0e308, 5.0e-324, 1.0e22, 0.1});
leaf(7, _) -> (rand:uniform() - 0.5) * math:pow(10, rand:uniform(600) - 300);
leaf(8, _) -> << <<(byte())>> || _ <- few() >>;
leaf(9, _) -> unicode:characters_to_binary([character() || _ <- few()]);
leaf(10, _) -> binary:copy(<<"long text ">>, rand:uniform(40));
leaf(11, _) -> <<(byte()):(rand:uniform(7)), (rand:uniform(1 bsl 20)):(rand:uniform(30))>>;
leaf(12, _) -> pick({self(), make_ref(), hd(erlang:ports())});
leaf(13, _) -> fun lists:reverse/1;
leaf(14, _) -> Bound = byte(), fun(Argument) -> {Bound, Argument} end;
leaf(_, _) -> rand:uniform(1000).

character() ->
    pick({$a, $\s, 0, $", 16#e9, 16#df, 16#20ac, 16#1f600, 16#10ffff}).

%% The structs of Elixir that Python has types for, sometimes with a part that Python can't hold.
elixir(1, _, _) ->
    date(#{'__struct__' => 'Elixir.Date'});
elixir(2, _, _) ->
    clock(#{'__struct__' => 'Elixir.Time', calendar => 'Elixir.Calendar.ISO'});
elixir(3, _, _) ->
    clock(date(#{'__struct__' => 'Elixir.NaiveDateTime'}));
elixir(4, _, _) ->
    {Zone, Abbreviation, Offset, Summer} = pick({{<<"Etc/UTC">>, <<"UTC">>, 0, 0}, {<<"Europe/Berlin">>, <<"CEST">>, 3600, 3600},
        {<<"Europe/London">>, <<"GMT">>, 0, 0}, {<<"America/New_York">>, <<"EST">>, -18000, 0}, {<<"X">>, <<"X">>, 90000, 0}}),
    clock(date(#{'__struct__' => 'Elixir.DateTime', time_zone => Zone, zone_abbr => Abbreviation,
        utc_offset => Offset, std_offset => Summer}));
elixir(5, _, _) ->
    #{'__struct__' => 'Elixir.Decimal', sign => pick({1, -1}), exp => pick({0, 0, -2, 3, -100, 1 bsl 70}),
      coef => pick({0, 110, rand:uniform(1 bsl 100), 'NaN', inf})};
elixir(6, Depth, Atoms) ->
    Set = #{'__struct__' => 'Elixir.MapSet', map => maps:from_list([{term(Depth - 1, Atoms), []} || _ <- few()])},
    pick({Set, Set#{version => 2}});
elixir(7, _, _) ->
    #{'__struct__' => 'Elixir.Range', first => byte(), last => byte(), step => pick({1, 1, -1, 3, -7, 0})}.

date(Fields) ->
    Fields#{calendar => 'Elixir.Calendar.ISO', year => pick({1, 1999, 2026, 9999, 0, -5}), month => rand:uniform(12),
            day => rand:uniform(28)}.

clock(Fields) ->
    Microsecond = pick({0, 0, 5, 120000, 999999}),
    Fields#{hour => rand:uniform(24) - 1, minute => rand:uniform(60) - 1, second => rand:uniform(60) - 1,
            microsecond => {Microsecond, pick({0, 3, 6, 6})}}.
