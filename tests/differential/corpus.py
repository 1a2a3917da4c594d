"""The searches whose answers must be MLflow's: names, order and pages, or a refusal by both.

A line of ``RUN_FILTERS`` and ``EXPERIMENT_FILTERS`` is one filter, as a user types it;
lines that begin with two slashes are headings. What lines cannot hold stands below them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

RUN_FILTERS: Final = r"""
// numbers and operators
metrics.rmse < 4
metrics.rmse <= 3
metrics.rmse > 5
metrics.rmse >= 5
metrics.rmse = 3
metrics.rmse = 3.0
metrics.rmse = 3.00
metrics.rmse != 3
metrics.rmse<4
metrics.rmse   <    4
metrics.rmse =3
metrics.rmse= 3
metrics.rmse > .1
metrics.rmse > 0.1
metrics.rmse > 1.
metrics.rmse > 1e0
metrics.rmse > 1e3
metrics.rmse > 1E3
metrics.rmse > 1e+3
metrics.rmse > 1e-3
metrics.rmse > 1.5e0
metrics.rmse > -5
metrics.rmse >= -5
metrics.rmse >= -5.0
metrics.rmse < -1
metrics.rmse = -5
metrics.rmse > - 5
metrics.rmse > +3
metrics.rmse > --5
metrics.rmse > 00
metrics.rmse >= 007
metrics.rmse > 1_000
metrics.rmse > 1,000
metrics.rmse > 0x10
metrics.rmse = 0
metrics.rmse = -0
metrics.rmse = 0.0
metrics.rmse > 1e299
metrics.rmse > 1e400
metrics.rmse < 1e400
metrics.rmse > 1e-400
metrics.rmse < 5e-324
metrics.rmse <= 5e-324
metrics.rmse = 0.3333333333333333
metrics.rmse = 0.33333333333333331
metrics.rmse = 0.333333333333333
metrics.acc = 0.3
metrics.acc = 0.30000000000000004
metrics.acc > 9999999999999999
metrics.acc = 10000000000000000
metrics.acc = 1e16
metrics.acc < 0
metrics.acc >= -.25
metrics.acc > -.25
metrics.rmse < '4'
metrics.rmse < "4"
metrics.rmse < four
metrics.rmse < nan
metrics.rmse = nan
metrics.rmse = NaN
metrics.rmse != nan
metrics.rmse = inf
metrics.rmse < inf
metrics.rmse > -inf
metrics.rmse = Infinity
metrics.rmse = 'nan'
metrics.rmse = null
metrics.rmse < metrics.acc
metrics.rmse <
metrics.rmse
metrics.rmse 4
4 > metrics.rmse
< 4
metrics. < 4
.rmse < 4
metrics.rmse << 4
metrics.rmse =< 4
metrics.rmse => 4
metrics.rmse ! 4
metrics.rmse LIKE '3'
metrics.rmse ILIKE '3'
metrics.rmse IN (3, 4)
metrics.rmse IN ('3', '4')
metrics.rmse NOT IN (3)
metrics.rmse IS NULL
metrics.rmse IS NOT NULL
metrics.rmse BETWEEN 1 AND 3
// which point is the last
metrics.m = 1
metrics.m = 2
metrics.m = 3
metrics.m = 4
metrics.m = 5
metrics.m = 6
metrics.m = 7
metrics.m = 8
metrics.m = 9
metrics.m = 10
metrics.m = 11
metrics.m = 12
metrics.m > 0
metrics.m != 4
// what is missing matches nothing
metrics.absent > 0
metrics.absent != 0
params.absent = 'x'
params.absent != 'x'
tags.absent != 'x'
tags.absent LIKE '%'
params.model != 'ridge'
tags.team != 'alpha'
tags.stage != ''
tags.stage = ''
tags.note = ''
// places and their other names
metric.rmse < 4
metrics.rmse < 4 AND metric.acc > 0.2
Metrics.rmse < 4
METRICS.rmse < 4
param.model = 'ridge'
params.model = 'ridge'
parameter.model = 'ridge'
parameters.model = 'ridge'
Params.model = 'ridge'
tag.team = 'alpha'
tags.team = 'alpha'
Tags.team = 'alpha'
attribute.status = 'FINISHED'
attributes.status = 'FAILED'
attr.status = 'KILLED'
run.status = 'RUNNING'
status = 'SCHEDULED'
Attributes.status = 'FAILED'
RUN.status = 'FAILED'
runs.status = 'FAILED'
info.status = 'FAILED'
`metrics`.rmse < 4
`metrics`.`rmse` < 4
"metrics".rmse < 4
metrics.`rmse` < 4
metrics."rmse" < 4
metrics.'rmse' < 4
`metrics.rmse` < 4
"metrics.rmse" < 4
'metrics.rmse' < 4
rmse < 4
model = 'ridge'
// keys
metrics.RMSE > 0
metrics.Rmse > 0
metrics.val.loss = 1
metrics.`val.loss` = 1
metrics."val.loss" = 1
metrics.train/loss = 2
metrics.`train/loss` = 2
metrics."train/loss" = 2
metrics.val loss = 3
metrics.`val loss` = 3
metrics."val loss" = 3
metrics.'val loss' = 3
metrics.f1-score = 4
metrics.`f1-score` = 4
metrics."f1-score" = 4
metrics.größe = 5
metrics.`größe` = 5
metrics.2fast = 6
metrics.`2fast` = 6
metrics.order = 7
metrics.`order` = 7
metrics.and = 8
metrics.`and` = 8
metrics.select = 9
metrics.timestamp = 10
metrics.`timestamp` = 10
metrics.m.a.n.y.dots = 12
metrics._private = 13
metrics.`a b.c/d-e` = 14
metrics."a b.c/d-e" = 14
metrics.in = 15
metrics.`in` = 15
metrics.null = 16
metrics.metrics.rmse = 17
metrics.`metrics.rmse` = 17
metrics.0 = 18
metrics.`0` = 18
metrics.key = 19
metrics.value = 20
metrics.`rmse < 4
metrics.rmse` < 4
metrics.`` < 4
metrics."" < 4
params.opt.name = 'adam'
params.`opt.name` = 'adam'
params."opt.name" = 'adam'
params.path/to = 'x'
params.`path/to` = 'x'
params.model name = 'spaced'
params.`model name` = 'spaced'
params."model name" = 'spaced'
params.LR = '0.1'
params.Model = 'ridge'
params.größe = 'groß'
params.lr-decay = '0.9'
params.`lr-decay` = '0.9'
params.1st = 'first'
params.`1st` = 'first'
params.not = 'keyword'
params.`not` = 'keyword'
params.like = 'keyword too'
params.`like` = 'keyword too'
params.params.lr = 'prefix'
params.is = 'is'
params.`is` = 'is'
params.desc = 'd'
tags.release version = '2.0'
tags.`release version` = '2.0'
tags."release version" = '2.0'
tags.a.b.c = 'dots'
tags.path/to/x = 'slashes'
tags.`path/to/x` = 'slashes'
tags.Team = 'alpha'
tags.mlflow.note.content LIKE 'a note%'
tags.`mlflow.note.content` LIKE '%two lines'
tags.mlflow.runName = 'zero'
tags.`mlflow.runName` = 'zero'
tags."mlflow.runName" = 'zero'
tags.mlflow.user = 'ann'
tags.or = 'keyword'
tags.`or` = 'keyword'
tags.x-y = 'dash'
tags.run = 'place'
tags.asc = 'a'
// texts
params.model = "ridge"
params.model = `ridge`
params.model = ridge
params.model = 'Ridge'
params.model = 'RIDGE'
params.model='ridge'
params.model = ' ridge '
params.model = 'it''s'
params.model = "it's"
params.model = 'it\'s'
params.model = 'say "hi"'
params.model = "say ""hi"" twice"
params.model = 'back`tick'
params.model = "back`tick"
params.model = '50%'
params.model = 'a_b'
params.model = 'back\slash'
params.model = 'back\\slash'
params.model = 'größe'
params.model = 'GRÖSSE'
params.model = '🚕'
params.model = 'a AND b'
params.model = 'a;b'
params.model = 'a--b'
params.model = '(a)'
params.model = '7'
params.model = 7
params.lr = 0.1
params.lr > 0.05
params.lr > '0.05'
params.lr < '0.1'
params.lr = '0.1'
params.lr = '1e-3'
params.lr = '.1'
params.lr = 'inf'
params.depth = '7'
params.depth = '7.0'
params.depth = 'None'
params.model = ''
params.model = ""
params.model = 'ridge
params.model = ridge'
params.model = "ridge'
params.model = 'ridge''forest'
params.model = 'ridge' 'forest'
params.model == 'ridge'
tags.note = 'it''s'
tags.note = "it's"
tags.note = 'x''; DROP TABLE runs; --'
tags.note = "x'; DROP TABLE runs; --"
tags.note = '/* c */ # d'
tags.note = 'f(x)'
tags.note = '日本語'
tags.note = 'a OR b'
tags.note = '  '
tags.note = 'NULL'
tags.note = 'True'
tags.note = True
tags.note = 1e3
tags.stage = 5
tags.stage = '5'
tags.stage = 'a, b'
tags.stage = nan
tags.stage = 'nan'
tags.stage > 'a'
tags.stage < 'z'
tags.stage >= 'candidate'
tags.stage == 'odd'
tags.team = 'ALPHA'
// patterns
params.model LIKE 'ridge'
params.model LIKE 'r%'
params.model LIKE 'R%'
params.model LIKE '%forest'
params.model LIKE '%idg%'
params.model LIKE '_idge'
params.model LIKE '%'
params.model LIKE ''
params.model LIKE '50%'
params.model LIKE '50\%'
params.model LIKE 'a_b'
params.model LIKE 'a\_b'
params.model LIKE 'a*b%'
params.model LIKE 'a%?[c]'
params.model LIKE '[a-z]%'
params.model LIKE '%\%'
params.model LIKE 'back\\slash'
params.model LIKE '%`%'
params.model LIKE "it's"
params.model LIKE 'g%e'
params.model LIKE 'gr__e'
params.model LIKE '_'
params.model LIKE "ridge"
params.model like 'r%'
params.model Like 'r%'
params.model ILIKE 'r%'
params.model ILIKE 'RIDGE'
params.model ilike '%IDG%'
params.model ILIKE 'GRÖSSE'
params.model ILIKE 'GRÖßE'
params.model ILIKE 'größe'
params.model ILIKE 'A_B'
params.model ILIKE '50%'
params.model ILIKE 'A*B?[C]'
params.model ILIKE 'back\slash'
params.model NOT LIKE 'r%'
params.model NOT ILIKE 'r%'
params.model LIKE ridge
params.model LIKE 7
params.model LIKE r%
params.model LIKE
tags.note LIKE '%''%'
tags.note LIKE '%o%'
tags.note LIKE '%' AND tags.stage LIKE '%'
tags.note ILIKE '%NOTE%'
tags.note LIKE '日%'
tags.note ILIKE 'größe'
tags.note ILIKE 'grÖsse'
tags.note LIKE 'a% off'
tags.note RLIKE 'a.*'
tags.note REGEXP 'a.*'
tags.note GLOB 'a*'
tags.note MATCH 'a'
// attributes
attributes.status = 'finished'
status = 'Finished'
status != 'FINISHED'
status LIKE 'F%'
status ILIKE 'f%'
status LIKE 'f%'
status IN ('FINISHED')
status IN ('FAILED', 'KILLED')
status = FINISHED
status > 'FINISHED'
status IS NULL
status = 'NONSENSE'
attributes.start_time > 1600000000000
attributes.start_time >= 1600005400000
attributes.start_time = 1600005400000
start_time < 1600000000000
start_time != 1600005400000
start_time > 1600005000000.5
start_time > 1.6e12
start_time > '1600005000000'
start_time > 0
start_time > -1
start_time LIKE '16%'
start_time IN (1600005400000)
start_time IS NULL
start_time > 99999999999999999999
Created > 1600005000000
created > 1600005000000
attributes.Created > 1600005000000
attributes.created > 1600005000000
CREATED > 1600005000000
end_time > 1600005000000
end_time = 1600005160000
end_time < 1600000000000
end_time != 0
end_time > 0
end_time = null
attributes.end_time <= 1600000060000
run_name = 'zero'
attributes.run_name = 'zero'
attributes.run_name != 'zero'
run_name = "it's"
run_name = 'say "hi"'
run_name LIKE 'twin%'
run_name ILIKE 'TWIN%'
run_name LIKE 'TWIN%'
run_name IN ('twin a', 'twin b')
run_name NOT IN ('twin a', 'twin b')
run_name > 'twin'
`run name` = 'zero'
attributes.`run name` = 'zero'
attributes.`Run name` = 'zero'
attributes.`Run Name` = 'zero'
attributes."Run Name" = 'zero'
attributes.`RUN NAME` = 'zero'
"run name" = 'zero'
run name = 'zero'
Run Name = 'zero'
`run_name` = 'zero'
`status` = 'FAILED'
attributes.`status` = 'FAILED'
attributes."status" = 'FAILED'
Status = 'FAILED'
STATUS = 'FAILED'
attributes.STATUS = 'FAILED'
attributes.Start_Time > 1600005000000
user_id = 'ann'
user_id = 'bob'
attributes.user_id LIKE 'b%'
user_id IN ('ann')
artifact_uri LIKE '%/artifacts'
attributes.artifact_uri LIKE '%artifacts%'
artifact_uri = 'nowhere'
run_id = 'cfcd208495d565ef66e7dff9f98764da'
run_id = 'd02c4c4cde7ae76252540d116a40f23a'
attributes.run_id = 'D02C4C4CDE7AE76252540D116A40F23A'
run_id LIKE 'd%'
run_id ILIKE 'D%'
run_id != 'd02c4c4cde7ae76252540d116a40f23a'
run_uuid = 'd02c4c4cde7ae76252540d116a40f23a'
attributes.run_uuid LIKE 'd%'
run_id IN ('d02c4c4cde7ae76252540d116a40f23a')
run_id IN ('d02c4c4cde7ae76252540d116a40f23a', "no such id")
run_id IN ("d02c4c4cde7ae76252540d116a40f23a","a2e4822a98337283e39f7b60acf85ec9")
attributes.run_id IN ('d02c4c4cde7ae76252540d116a40f23a')
attributes.run_id in ('d02c4c4cde7ae76252540d116a40f23a')
run_id NOT IN ('d02c4c4cde7ae76252540d116a40f23a')
run_id not in ('d02c4c4cde7ae76252540d116a40f23a') AND metrics.rmse = 3
attributes.run_id NOT  IN ('d02c4c4cde7ae76252540d116a40f23a') and status = 'FAILED'
run_id IN ()
run_id IN 'd02c4c4cde7ae76252540d116a40f23a'
run_id IN (d02c4c4cde7ae76252540d116a40f23a)
run_id IN (1, 2)
run_id IN ('a' 'b')
run_id IN ('a',)
run_id IN (,'a')
run_id IN ('a'
run_id IN
run_id NOT ('a')
run_id NOT = 'a'
source_name = ''
source_type = 'LOCAL'
lifecycle_stage = 'active'
experiment_id = '1'
name = 'zero'
attributes.nonsense = 'x'
attributes. = 'x'
start_time
// is null
params.model IS NULL
params.model IS NOT NULL
params.model is null
params.model is not null
params.model Is Not Null
params.model IS  NOT  NULL
params.model IS NOT
params.model IS
params.model IS 'ridge'
params.model IS NULL AND tags.team = 'alpha'
tags.team IS NULL AND status = 'FINISHED'
tags.team IS NOT NULL AND params.model IS NOT NULL
tags.team = 'alpha' AND params.model IS NULL
tags.note IS NOT NULL
tags.note IS NULL AND metrics.rmse > 5
tags.`release version` IS NOT NULL
tags."release version" IS NOT NULL
tags.mlflow.note.content IS NOT NULL
tags.absent IS NULL AND params.absent IS NULL
params.absent IS NOT NULL
params.model NULL
params.model NOT NULL
params.model = NULL
params.model != NULL
run_name IS NOT NULL
end_time IS NULL
params.model ISNULL
params.model NOTNULL
// in where MLflow has it not
params.model IN ('ridge', 'forest')
params.model NOT IN ('ridge')
tags.team IN ('alpha')
// and
metrics.rmse < 5 AND params.model = 'ridge'
metrics.rmse < 5 and params.model = 'ridge'
metrics.rmse < 5 And params.model = 'ridge'
metrics.rmse < 5   AND   params.model = 'ridge'
metrics.rmse > 3 AND metrics.rmse < 6
metrics.rmse > 3 AND metrics.rmse < 6 AND metrics.acc > 0.1 AND params.lr = '0.01' AND tags.team = 'beta'
metrics.rmse = 3 AND metrics.rmse = 4
tags.team = 'alpha' AND tags.stage = 'candidate'
tags.team = 'alpha' AND tags.team = 'beta'
metrics.rmse < 5 AND
AND metrics.rmse < 5
metrics.rmse < 5 AND AND metrics.acc > 0
metrics.rmse < 5 AND params.model
metrics.rmse < 5 params.model = 'ridge'
metrics.rmse < 5, params.model = 'ridge'
metrics.rmse < 5 && params.model = 'ridge'
metrics.rmse < 5 & metrics.acc > 0
metrics.rmse < 5 || metrics.acc > 0
metrics.rmse < 5;
metrics.rmse < 5 ;
metrics.rmse < 5;;
metrics.rmse < 5; metrics.acc > 0
;
metrics.rmse < 5 -- a comment
metrics.rmse < 5 /* a comment */
metrics.rmse < 5 # a comment
metrics.rmse /* c */ < 5
metrics.rmse < 5 ORDER BY metrics.rmse
metrics.rmse < 5 LIMIT 3
SELECT * FROM runs
1 = 1
'a' = 'a'
true
*
metrics.* < 5
metrics.rmse < 5 UNION SELECT 1
params.model = 'x' AND 1 = 1
params.model = 'x'' OR ''1''=''1'
nonsense
?
:name
metrics.rmse < :value
metrics.rmse < ?
// datasets
datasets.name = 'taxi'
dataset.name = 'taxi'
Datasets.name = 'taxi'
datasets.name != 'taxi'
datasets.name LIKE 't%'
datasets.name LIKE 'I%'
datasets.name ILIKE 'iris%'
datasets.name IN ('taxi', 'iris')
datasets.name NOT IN ('taxi')
datasets.digest = 'd1'
datasets.digest IN ('d1', 'd3')
datasets.digest LIKE 'd_'
datasets.context = 'train'
datasets.context != 'train'
datasets.context IN ('train', 'test')
datasets.context LIKE '%t%'
datasets.name = 'taxi' AND datasets.context = 'test'
datasets.name = 'Iris set' AND datasets.digest = 'd3'
datasets.name = 'taxi' AND metrics.rmse > 0
datasets.`name` = 'taxi'
datasets.profile = 'x'
datasets.source = 'x'
datasets.name > 'a'
datasets.name = 5
datasets.name IS NULL
"""

EXPERIMENT_FILTERS: Final = r"""
// name
name = 'main'
name = "main"
name = main
name != 'main'
name = 'Main'
name = 'other'
name LIKE 'nyc%'
name LIKE 'NYC%'
name LIKE 'nyc_taxi'
name LIKE 'other'
name ILIKE 'nyc%'
name ILIKE 'OTHER'
name ILIKE 'GRÖßE'
name ILIKE 'GRÖSSE'
name LIKE 'gr%'
name LIKE 'per\%cent'
name LIKE '%\%%'
name LIKE '%%'
name = 'per%cent'
name = "quote's"
name = 'quote''s'
name IN ('main', 'other')
name NOT IN ('main')
name > 'm'
name IS NULL
name IS NOT NULL
attribute.name = 'main'
attributes.name = 'main'
attr.name = 'main'
`name` = 'main'
attribute.`name` = 'main'
"name" = 'main'
NAME = 'main'
Name = 'main'
name = 5
name like '%taxi%'
name = 'gone'
name = ''
// times
creation_time > 1600000005000
creation_time >= 1600000005000
creation_time = 1600000009000
creation_time != 1600000009000
creation_time < 1600000001000
creation_time > 1600000005000.5
creation_time > 1.6e12
creation_time > '1600000005000'
creation_time > -1
creation_time LIKE '16%'
creation_time IN (1600000009000)
creation_time IS NULL
last_update_time > 1600000020000
last_update_time = 1600000050000
last_update_time = 1600000060000
last_update_time = 1600000090000
last_update_time <= 1600000000000
attribute.creation_time > 1600000005000
attribute.last_update_time > 1600000020000
Creation_Time > 1600000005000
created > 1600000005000
// id
experiment_id = '1'
experiment_id = 1
experiment_id != '1'
experiment_id IN ('1', '2')
experiment_id NOT IN ('1', '2')
experiment_id IN (1, 2)
experiment_id = 'x'
experiment_id LIKE '1%'
experiment_id > '1'
experiment_id = '-1'
experiment_id = '01'
// tags
tags.team = 'alpha'
tag.team = 'alpha'
Tags.team = 'alpha'
tags.team != 'alpha'
tags.team LIKE 'a%'
tags.team ILIKE 'a%'
tags.team LIKE 'A%'
tags.team = ''
tags.Team = 'alpha'
tags.`team` = 'alpha'
tags."team" = 'alpha'
tags.`release version` = '1.2'
tags."release version" = '1.2'
tags.release version = '1.2'
tags.a.b.c = 'dots'
tags.`a.b.c` = 'dots'
tags.path/to = 'slash'
tags.`path/to` = 'slash'
tags.mlflow.note.content = 'a note'
tags.note = 'it''s 50% "good"'
tags.note LIKE '%50%'
tags.team = 'größe'
tags.team = 'gamma'
tags.team = 'delta'
tags.stage = 'late'
tags.team IS NULL
tags.team IS NOT NULL
tags.team is null
tags.team is not null AND name LIKE '%o%'
tags.absent IS NULL
tags.team IN ('alpha', 'beta')
tags.team NOT IN ('alpha')
tags.team > 'a'
tags.team = alpha
tags.team = 5
// several, and faults
name LIKE '%o%' AND tags.team = 'beta'
tags.team = 'alpha' AND tags.owner = 'ann'
name LIKE 'nyc%' AND creation_time > 1600000003000
name = 'main' AND
name = 'main';
name = 'main' name = 'other'
metrics.rmse < 4
params.model = 'x'
status = 'FINISHED'
lifecycle_stage = 'active'
artifact_location LIKE '%'
nonsense
name
name =
= 'main'
"""

# What a line cannot hold.
_MORE_RUN_FILTERS: Final = (
    "",
    " ",
    "\n",
    "\t",
    " metrics.rmse < 4",
    "metrics.rmse < 4 ",
    "\tmetrics.rmse < 4\n",
    "metrics.rmse < 4\nAND\nparams.model = 'ridge'",
    "metrics.rmse\t<\t4",
    "metrics.rmse\n<\n4",
    "metrics.rmse < 4 AND\r\nmetrics.acc > 0.1",
    "tags.mlflow.note.content = 'a note\nof two lines'",
    "metrics.rmse\u00a0< 4",
    "metrics.rmse < \uff14",
    "metrics.rmse < \u0664",
    "params.model = '\x00'",
    "params.model = \u2018ridge\u2019",
    "metrics.rmse \u2264 4",
    " AND ".join(["metrics.rmse < 4"] * 20),
    "params.model = '" + "x" * 7000 + "'",
)

_ORDERS: Final = (
    ["metrics.rmse"],
    ["metrics.rmse ASC"],
    ["metrics.rmse asc"],
    ["metrics.rmse Asc"],
    ["metrics.rmse DESC"],
    ["metrics.rmse desc"],
    ["metric.rmse DESC"],
    ["metrics.acc"],
    ["metrics.acc DESC"],
    ["metrics.m"],
    ["metrics.m DESC"],
    ["metrics.absent"],
    ["metrics.absent DESC"],
    ["metrics.`rmse` DESC"],
    ['metrics."rmse" DESC'],
    ["metrics.`val loss`"],
    ["metrics.`val loss` DESC"],
    ['metrics."val loss" DESC'],
    ["metrics.val.loss DESC"],
    ["metrics.train/loss DESC"],
    ["metrics.`train/loss` DESC"],
    ["metrics.f1-score DESC"],
    ["metrics.`f1-score` DESC"],
    ["metrics.order DESC"],
    ["metrics.`order` DESC"],
    ["metrics.2fast DESC"],
    ["metrics.größe DESC"],
    ["metrics.timestamp DESC"],
    ["metrics.RMSE DESC"],
    ["params.model"],
    ["params.model DESC"],
    ["param.model"],
    ["parameter.lr", "params.depth DESC"],
    ["params.lr ASC"],
    ["params.depth"],
    ["params.depth DESC"],
    ["params.`model name`"],
    ["params.desc"],
    ["params.desc DESC"],
    ["tags.team"],
    ["tags.team DESC"],
    ["tag.stage DESC"],
    ["tags.note"],
    ["tags.`release version` DESC"],
    ["tags.mlflow.runName"],
    ["tags.`mlflow.runName` DESC"],
    ["tags.asc"],
    ["status"],
    ["status DESC"],
    ["attributes.status"],
    ["attribute.status"],
    ["attr.status DESC"],
    ["run.status"],
    ["start_time"],
    ["start_time ASC"],
    ["start_time DESC"],
    ["attributes.start_time"],
    ["Created"],
    ["Created DESC"],
    ["created ASC"],
    ["attributes.Created DESC"],
    ["attributes.created"],
    ["end_time"],
    ["end_time DESC"],
    ["run_name"],
    ["run_name DESC"],
    ["attributes.run_name"],
    ["`run name`"],
    ["attributes.`Run Name`"],
    ["user_id"],
    ["user_id DESC"],
    ["artifact_uri"],
    ["attributes.artifact_uri DESC"],
    ["run_id"],
    ["run_id DESC"],
    ["attributes.run_id"],
    ["run_uuid"],
    ["source_name"],
    ["experiment_id"],
    ["lifecycle_stage"],
    ["metrics.rmse", "start_time"],
    ["metrics.rmse DESC", "params.model ASC"],
    ["params.model", "metrics.rmse DESC"],
    ["params.model", "params.lr", "start_time ASC"],
    ["tags.team", "tags.stage DESC", "metrics.rmse"],
    ["status", "end_time DESC"],
    ["metrics.rmse", "metrics.rmse"],
    ["metrics.rmse", "metrics.rmse DESC"],
    ["start_time", "start_time DESC"],
    ["start_time", "attributes.start_time"],
    ["start_time", "Created"],
    ["metrics.rmse", "metric.rmse"],
    ["metrics.rmse, start_time"],
    [""],
    [" "],
    [" metrics.rmse"],
    ["metrics.rmse "],
    ["metrics.rmse  DESC"],
    ["metrics.rmse\tDESC"],
    ["metrics.rmse\nDESC"],
    ["metrics.rmse DESC "],
    ["metrics.rmse DESC;"],
    ["metrics.rmse;"],
    ["metrics.rmse DESCENDING"],
    ["metrics.rmse DOWN"],
    ["metrics.rmse DESC NULLS FIRST"],
    ["metrics.rmse ASC DESC"],
    ["-metrics.rmse"],
    ["rmse"],
    ["metrics"],
    ["metrics."],
    ["DESC"],
    ["nonsense"],
    ["nonsense.rmse"],
    ["Metrics.rmse"],
    ["datasets.name"],
    ["metrics.rmse < 4"],
    ["1"],
    ["'metrics.rmse'"],
    ["`metrics.rmse`"],
    ['"metrics.rmse"'],
    ["(metrics.rmse)"],
    ["abs(metrics.rmse)"],
    ["metrics.rmse DESC", ""],
    ["start_time; DROP TABLE runs"],
)

_EXPERIMENT_ORDERS: Final = (
    [],
    ["name"],
    ["name ASC"],
    ["name DESC"],
    ["NAME"],
    ["attribute.name"],
    ["attributes.name"],
    ["creation_time"],
    ["creation_time ASC"],
    ["creation_time DESC"],
    ["last_update_time"],
    ["last_update_time ASC"],
    ["last_update_time DESC"],
    ["experiment_id"],
    ["experiment_id DESC"],
    ["attribute.last_update_time DESC"],
    ["creation_time", "name"],
    ["creation_time", "name DESC"],
    ["creation_time DESC", "experiment_id"],
    ["tags.team"],
    ["nonsense"],
    ["name sideways"],
    [""],
)


@dataclass(frozen=True)
class Case:
    """A search; ``experiments`` are names, or an id that no experiment has."""

    filter: str | None = ""
    order_by: tuple[str, ...] | None = None
    max_results: int | None = None
    page_token: str | None = None
    view: str = "ACTIVE_ONLY"
    experiments: tuple[str, ...] = ("main",)
    entity: str = "runs"

    def __str__(self) -> str:
        parts = [self.filter if self.filter is None or len(self.filter) <= 120 else f"{self.filter[:100]}..."]
        parts += [f"order {list(self.order_by)}"] if self.order_by is not None else []
        parts += [f"{self.max_results} a page"] if self.max_results is not None else []
        parts += [f"token {self.page_token!r}"] if self.page_token is not None else []
        parts += [self.view] if self.view != "ACTIVE_ONLY" else []
        parts += [f"in {', '.join(self.experiments)}"] if self.experiments != ("main",) else []
        head = "runs" if self.entity == "runs" else "experiments"
        return ascii_id(f"{head}: " + " | ".join(str(part) for part in parts))

    def asdict(self) -> dict[str, Any]:
        return asdict(self)


def ascii_id(text: str) -> str:
    """Return a text as pytest shows it: what is not ASCII, and line ends, are escaped."""
    return text.encode("unicode_escape").decode()


def _lines(text: str) -> list[str]:
    return [line for line in text.strip("\n").split("\n") if not line.startswith("//")]


def _run_cases() -> list[Case]:
    cases = [Case(text) for text in (*_lines(RUN_FILTERS), *_MORE_RUN_FILTERS)]
    cases += [Case(order_by=tuple(order)) for order in _ORDERS]
    cases += [
        Case(None),
        Case(order_by=None),
        Case(order_by=()),
        # pages
        *(Case(max_results=size) for size in (1, 2, 7, 50, 1000)),
        *(Case(max_results=size) for size in (0, -1, 50_000, 50_001, 10**12)),
        Case("metrics.rmse = 3", max_results=2),
        Case("metrics.rmse = 3", ("metrics.acc DESC",), max_results=3),
        Case("", ("metrics.rmse",), max_results=10),
        Case("", ("metrics.rmse DESC",), max_results=10),
        Case("", ("params.model", "metrics.rmse DESC"), max_results=9),
        Case("", ("tags.team DESC",), max_results=13),
        Case("", ("end_time",), max_results=20),
        Case("params.model = 'twin'", ("metrics.rmse",), max_results=2),
        Case("params.model = 'twin'", ("metrics.rmse DESC",), max_results=2),
        Case("params.model = 'twin'", ("start_time",), max_results=2),
        Case("params.model = 'twin'", ("start_time DESC",), max_results=2),
        Case("params.model = 'twin'", ("status",), max_results=1),
        Case("metrics.absent > 0", max_results=1),
        Case(page_token=""),
        Case(page_token="nonsense"),
        Case(page_token="eyJvZmZzZXQiOiAxMH0="),
        Case(page_token="eyJvZmZzZXQiOiA5OTk5fQ=="),
        Case(page_token="eyJvZmZzZXQiOiAieCJ9"),
        Case(page_token="e30="),
        Case(page_token="größe"),
        # where and which
        *(Case(view=view) for view in ("DELETED_ONLY", "ALL")),
        Case("metrics.rmse < 4", view="ALL"),
        Case("metrics.rmse < 4", view="DELETED_ONLY"),
        Case("params.model = 'ridge'", ("metrics.rmse",), view="ALL"),
        Case("tags.team != 'alpha'", view="DELETED_ONLY"),
        Case(view="ALL", max_results=20),
        Case(experiments=("other",)),
        Case(experiments=("main", "other")),
        Case(experiments=("other", "main"), order_by=("metrics.rmse",)),
        Case("metrics.rmse = 3", experiments=("other", "main")),
        Case("params.model = 'ridge'", experiments=("main", "other", "Other"), view="ALL"),
        Case(experiments=("main", "main")),
        Case(experiments=("Other",)),
        Case(experiments=()),
        Case(experiments=("987654",)),
        Case(experiments=("987654", "other")),
        Case(experiments=("gone",)),
        Case(experiments=("gone",), view="ALL"),
        Case("tags.team = 'alpha'", ("start_time",), experiments=("main", "other", "gone"), max_results=4),
    ]
    return cases


def _experiment_cases() -> list[Case]:
    def case(text: str | None = None, **options: Any) -> Case:
        return Case(text, entity="experiments", experiments=(), **options)

    cases = [case(text) for text in _lines(EXPERIMENT_FILTERS)]
    cases += [case(order_by=tuple(order)) for order in _EXPERIMENT_ORDERS]
    cases += [case(view=view) for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")]
    cases += [case("tags.team = 'alpha'", view=view) for view in ("DELETED_ONLY", "ALL")]
    cases += [case(max_results=size) for size in (1, 4, 0, -1, 50_000, 50_001)]
    cases += [
        case(""),
        case(" "),
        case(view="ALL", order_by=("name",), max_results=5),
        case(view="ALL", order_by=("last_update_time DESC",)),
        case("creation_time = 1600000009000", order_by=("creation_time",)),
        case("creation_time = 1600000009000", order_by=("creation_time DESC",)),
        case("name LIKE '%o%'", order_by=("name DESC",), max_results=2),
        case("tags.team IS NOT NULL", order_by=("last_update_time",), view="ALL", max_results=3),
    ]
    return cases


def _unique(cases: list[Case]) -> tuple[Case, ...]:
    return tuple(dict.fromkeys(cases))


CASES: Final = _unique(_run_cases() + _experiment_cases())
