//! The tree of an expression.

use super::functions::Function;
use super::lex::{Token, tokens};
use super::operators::Operator;

/// An expression.
#[derive(Debug)]
pub(super) enum Expression {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Name(String),
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Field(Box<Expression>, String),
    Index(Box<[Expression; 2]>),
    Has(Box<Expression>, String),
    Not(Box<Expression>),
    Minus(Box<Expression>),
    And(Box<[Expression; 2]>),
    Or(Box<[Expression; 2]>),
    If(Box<[Expression; 3]>),
    Binary(Operator, Box<[Expression; 2]>),
    Call(Function, Vec<Expression>),
}

/// Most levels of brackets and signs in front, and most operators and fields in all. The tree is no
/// deeper than both together, and so is what evaluates it and takes it down.
const MAX_NESTING: u32 = 32;
const MAX_OPERATORS: u32 = 128;

/// The expression of a source, if it is one that is understood.
pub(super) fn parse(source: &str) -> Option<Expression> {
    let tokens = tokens(source)?;
    let mut parser = Parser { rest: &tokens, nesting: 0, operators: 0 };
    let expression = parser.expression()?;
    parser.rest.is_empty().then_some(expression)
}

struct Parser<'t> {
    rest: &'t [Token],
    nesting: u32,
    operators: u32,
}

/// From what binds weakest to what binds strongest.
const LEVELS: [&[(&str, Operator)]; 3] = [
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

impl Parser<'_> {
    fn expression(&mut self) -> Option<Expression> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return None;
        }
        let condition = self.or()?;
        let expression = if self.sign("?") {
            let yes = self.or()?;
            self.sign(":").then_some(())?;
            Expression::If(Box::new([condition, yes, self.expression()?]))
        } else {
            condition
        };
        self.nesting -= 1;
        Some(expression)
    }

    fn or(&mut self) -> Option<Expression> {
        self.chain(Self::and, |parser| {
            parser.sign("||").then_some(|pair| Expression::Or(Box::new(pair)))
        })
    }

    fn and(&mut self) -> Option<Expression> {
        self.chain(
            |parser| parser.binary(0),
            |parser| parser.sign("&&").then_some(|pair| Expression::And(Box::new(pair))),
        )
    }

    fn binary(&mut self, level: usize) -> Option<Expression> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        self.chain(
            |parser| parser.binary(level + 1),
            |parser| {
                let found = operators.iter().find(|(sign, _)| parser.sign(sign));
                found.map(|(_, op)| move |pair| Expression::Binary(*op, Box::new(pair)))
            },
        )
    }

    /// Operands with operators between them, which bind to the left.
    fn chain<J: FnOnce([Expression; 2]) -> Expression>(
        &mut self,
        operand: impl Fn(&mut Self) -> Option<Expression>,
        operator: impl Fn(&mut Self) -> Option<J>,
    ) -> Option<Expression> {
        let mut left = operand(self)?;
        while let Some(join) = operator(self) {
            self.count()?;
            left = join([left, operand(self)?]);
        }
        Some(left)
    }

    fn count(&mut self) -> Option<()> {
        self.operators += 1;
        (self.operators <= MAX_OPERATORS).then_some(())
    }

    fn unary(&mut self) -> Option<Expression> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return None;
        }
        let expression = if self.sign("!") {
            Expression::Not(Box::new(self.unary()?))
        } else if self.sign("-") {
            match self.rest.first() {
                Some(Token::Int(number)) if !self.is_followed_by_field() => {
                    let negative = 0_i64.checked_sub_unsigned(*number)?;
                    self.rest = &self.rest[1..];
                    Expression::Int(negative)
                }
                _ => Expression::Minus(Box::new(self.unary()?)),
            }
        } else {
            self.member()?
        };
        self.nesting -= 1;
        Some(expression)
    }

    fn is_followed_by_field(&self) -> bool {
        matches!(self.rest.get(1), Some(Token::Sign("." | "[")))
    }

    fn member(&mut self) -> Option<Expression> {
        let mut value = self.primary()?;
        loop {
            value = if self.sign(".") {
                self.count()?;
                let name = self.name()?;
                if self.sign("(") {
                    let mut arguments = vec![value];
                    arguments.append(&mut self.list(")")?);
                    Expression::Call(Function::method(&name, arguments.len())?, arguments)
                } else {
                    Expression::Field(Box::new(value), name)
                }
            } else if self.sign("[") {
                self.count()?;
                let index = self.expression()?;
                self.sign("]").then_some(())?;
                Expression::Index(Box::new([value, index]))
            } else {
                return Some(value);
            };
        }
    }

    fn primary(&mut self) -> Option<Expression> {
        let (token, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match token {
            Token::Int(number) => Expression::Int(i64::try_from(*number).ok()?),
            Token::Uint(number) => Expression::Uint(*number),
            Token::Double(number) => Expression::Double(*number),
            Token::String(text) => Expression::String(text.clone()),
            Token::Bytes(bytes) => Expression::Bytes(bytes.clone()),
            Token::Name(name) => match name.as_str() {
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "null" => Expression::Null,
                "in" => return None,
                name if self.sign("(") => return self.call(name),
                name => Expression::Name(name.to_owned()),
            },
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.sign(")").then_some(inner)?
            }
            Token::Sign("[") => Expression::List(self.list("]")?),
            Token::Sign("{") => Expression::Map(self.map()?),
            Token::Sign(_) => return None,
        })
    }

    fn call(&mut self, name: &str) -> Option<Expression> {
        let mut arguments = self.list(")")?;
        if name == "has" && arguments.len() == 1 {
            return match arguments.pop()? {
                Expression::Field(value, field) => Some(Expression::Has(value, field)),
                _ => None,
            };
        }
        Some(Expression::Call(Function::global(name, arguments.len())?, arguments))
    }

    /// Expressions up to a bracket; a comma may follow the last.
    fn list(&mut self, end: &str) -> Option<Vec<Expression>> {
        let mut items = Vec::new();
        while !self.sign(end) {
            items.push(self.expression()?);
            if !self.sign(",") {
                return self.sign(end).then_some(items);
            }
        }
        Some(items)
    }

    fn map(&mut self) -> Option<Vec<(Expression, Expression)>> {
        let mut entries = Vec::new();
        while !self.sign("}") {
            let key = self.expression()?;
            self.sign(":").then_some(())?;
            entries.push((key, self.expression()?));
            if !self.sign(",") {
                return self.sign("}").then_some(entries);
            }
        }
        Some(entries)
    }

    fn name(&mut self) -> Option<String> {
        let (Token::Name(name), rest) = self.rest.split_first()? else { return None };
        self.rest = rest;
        Some(name.clone())
    }

    /// Takes a sign, or the operator that is written as a name, if it is the next token.
    fn sign(&mut self, wanted: &str) -> bool {
        let is_next = match self.rest.first() {
            Some(Token::Sign(sign)) => *sign == wanted,
            Some(Token::Name(name)) => wanted == "in" && name == wanted,
            _ => false,
        };
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }
}
